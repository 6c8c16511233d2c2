"""A voice server on real sockets of this process, and handsets that send what a test wants, message by message."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tandem.admin.trial.demo import POOL
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import digest, fields
from tandem.sip.machines.dialog import Dialog
from tandem.sip.message.message import Headers, Request, Response
from tandem.voice.server import VoiceFiles, VoiceServer
from tandem.wiring import Home, connect

SECURE = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
)
PLAIN = SECURE.replace(b"SAVP", b"AVP").partition(b"a=crypto")[0]
SDP = ("Content-Type", "application/sdp")


class Pool:
    """The pool's server, on TCP and UDP; ``ports`` by transport. ``secret`` by SIP address."""

    def __init__(self, server: VoiceServer) -> None:
        self.server = server
        self.ports = server.endpoint.connections.ports

    def secret(self, address: str) -> str:
        return self.server.following.index.sip_secret(self.server.config.users[address])


@contextlib.asynccontextmanager
async def serving(folder: Path, resolver: Resolver | None = None) -> AsyncIterator[Pool]:
    """The voice server of a deployed organization, at rest when the test is over.

    With a resolver it finds UM servers by it, and shows them its certificate.
    """
    home, clock = Home(folder=folder), SystemClock()
    store = CertificateStore(folder=folder / "state" / "pki" / POOL)
    context = client_context(store) if resolver else None
    endpoint = Endpoint(
        clock=clock, ids=SystemIds(), resolver=resolver or Resolver({}), name=POOL, client_context=context
    )
    server = VoiceServer(
        fqdn=POOL,
        endpoint=endpoint,
        connect=lambda: connect(home, POOL),
        forest="example.com",
        clock=clock,
        files=VoiceFiles.below(folder / "state" / "voice", POOL),
    )
    await server.start()
    await endpoint.listen_tcp("127.0.0.1", 0)
    await endpoint.listen_udp("127.0.0.1", 0)
    try:
        yield Pool(server)
    finally:
        await server.stop()


class Handset:
    """A phone of an account: ``answer`` is the description that it answers calls with, ``got`` what it was sent."""

    def __init__(self, pool: Pool, address: str, *, transport: str = "tcp", instance: str = "") -> None:
        self.pool, self.address, self.transport, self.instance = pool, address, transport, instance
        self.got: asyncio.Queue[Request] = asyncio.Queue()
        self.answer = SECURE
        self.status = 200
        self.headers: tuple[tuple[str, str], ...] = ()
        self.dialog: Dialog | None = None
        self.flow: Flow
        self.last: Response
        self._cseq = 0

    async def connect(self) -> None:
        self.endpoint = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver({}))
        self.endpoint.on_request = self._asked
        self.endpoint.on_ack = lambda request, flow: self.got.put_nowait(request)
        if self.transport == "udp":
            await self.endpoint.listen_udp("127.0.0.1", 0)
        hop = Hop(transport=self.transport, host="127.0.0.1", port=self.pool.ports[self.transport])
        self.flow = await self.endpoint.flow_to(hop)

    async def lose(self) -> None:
        """The connection breaks; afterwards the server knows it."""
        gone = {flow for flow in self.pool.server.endpoint.connections.flows if flow.remote == self.flow.local}
        await self.endpoint.close()
        async with asyncio.timeout(5):
            while gone & self.pool.server.endpoint.connections.flows:
                await asyncio.sleep(0)

    @property
    def contact(self) -> str:
        host, port = self.flow.local
        return f"<sip:{self.address.partition('@')[0]}@{host}:{port};transport={self.transport}>"

    # Asking

    async def ask(self, request: Request, *, prove: bool = True) -> Response:
        """The final response, with the challenge answered."""
        client = await self.endpoint.send(request.copy(), self.flow)
        self.last = response = await client.final()
        if prove and response.status in (401, 407):
            name, header = {
                401: ("Authorization", "WWW-Authenticate"),
                407: ("Proxy-Authorization", "Proxy-Authenticate"),
            }[response.status]
            value = digest.answer(
                response.headers.all(header),
                username=self.address,
                secret=self.pool.secret(self.address),
                method=request.method,
                uri=request.uri,
                cnonce="c",
            )
            again = request.copy()
            again.headers.add(name, value or "")
            again.headers.set("CSeq", f"{fields.cseq(request).sequence + 1} {request.method}")
            return await self.ask(again, prove=False)
        return response

    def request(self, method: str, uri: str, *headers: tuple[str, str], body: bytes = b"") -> Request:
        """A request outside of a dialog; ``headers`` take the place of the usual ones."""
        self._cseq += 10
        usual = [
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self.address}>;tag=f{self._cseq}"),
            ("To", f"<sip:{self.address if method == 'REGISTER' else uri.partition(':')[2]}>"),
            ("Call-ID", f"{self.endpoint.ids.token(4)}"),
            ("CSeq", f"{self._cseq} {method}"),
            ("Contact", self.contact),
            *([SDP] if body else []),
        ]
        made = Request(method=method, uri=uri, headers=Headers(usual), body=body)
        for name, value in headers:
            made.headers.set(name, value)
        return made

    async def register(self, *headers: tuple[str, str]) -> Response:
        contact = self.contact + (f';+sip.instance="{self.instance}"' if self.instance else "")
        return await self.ask(self.request("REGISTER", "sip:example.com", ("Contact", contact), *headers))

    async def invite(self, number: str, *headers: tuple[str, str], body: bytes = SECURE) -> Response:
        """Call, and acknowledge the answer; then :attr:`dialog` is that of the call."""
        request = self.request("INVITE", f"sip:{number}@example.com", *headers, body=body)
        response = await self.ask(request)
        if response.status < 300:
            request.headers.set("CSeq", response.headers.get("CSeq") or "")
            self.dialog = Dialog.from_uac(request, response)
            ack = self.dialog.request("ACK", cseq=self.dialog.local_cseq)
            await self.endpoint.send_ack(ack, self.flow)
        return response

    def within(self, method: str, *headers: tuple[str, str], body: bytes = b"") -> Request:
        """A request within the dialog."""
        assert self.dialog is not None
        made = self.dialog.request(method)
        for name, value in (("Contact", self.contact), *([SDP] if body else []), *headers):
            made.headers.set(name, value)
        made.body = body
        return made

    # Being asked

    def _asked(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        self.got.put_nowait(request)
        headers: tuple[tuple[str, str], ...] = (("Contact", self.contact), *self.headers)
        if request.method == "INVITE" and self.status < 300:
            if not fields.to_tag(request):
                self.dialog = Dialog.from_uas(request, local_tag=transaction.to_tag)
            transaction.respond_with(200, headers=(*headers, SDP), body=self.answer)
        else:
            transaction.respond_with(self.status, headers=headers)

    async def received(self, method: str) -> Request:
        """The next request of a method that comes."""
        async with asyncio.timeout(5):
            while (request := await self.got.get()).method != method:
                pass
        return request


@contextlib.asynccontextmanager
async def handsets(pool: Pool, *phones: Handset) -> AsyncIterator[None]:
    """Connected and registered."""
    for phone in phones:
        await phone.connect()
        assert (await phone.register()).status == 200
    try:
        yield
    finally:
        for phone in phones:
            await phone.endpoint.close()
