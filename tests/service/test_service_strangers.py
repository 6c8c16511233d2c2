"""Invariant 6 of docs/architecture.md over both servers: a peer that has proved nothing costs nothing that lasts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import deployment
from service.servers import Servers, serving
from tandem.admin.trial.demo import CALLED, POOL, UM, roots
from tandem.pki.tls import phone_tls_context
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.message.framing import StreamFramer
from tandem.sip.message.message import Headers, Request, Response
from tandem.sip.message.parse import parse_message

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
IN_A_DIALOG, REQUIRE = f"<sip:{CALLED}>;tag=x", ("Require", "dancing")
ASKED = {
    "an INVITE within a dialog that is not there": ("INVITE", IN_A_DIALOG),
    "a BYE within a dialog that is not there": ("BYE", IN_A_DIALOG),
    "an INVITE that requires what nobody has": ("INVITE", "", REQUIRE, ("Proxy-Require", "dancing")),
    "an INVITE": ("INVITE", ""),
    "an INVITE that takes no SDP": ("INVITE", "", ("Accept", "text/plain")),
    "a REGISTER": ("REGISTER", ""),
    "a SUBSCRIBE": ("SUBSCRIBE", "", ("Event", "message-summary")),
    "a NOTIFY": ("NOTIFY", "", ("Event", "message-summary")),
    "OPTIONS": ("OPTIONS", ""),
    "a CANCEL of nothing": ("CANCEL", ""),
    "a method that is not served": ("MESSAGE", ""),
    "a method that nobody knows": ("DANCE", ""),
    "wrong credentials": ("REGISTER", "", ("Authorization", "Digest username=bob")),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("strangers") / "x")
    async with serving(folder) as made:
        yield made


def asked(number: int, method: str, to: str, *headers: tuple[str, str]) -> bytes:
    made = Request(method=method, uri=f"sip:{CALLED}", headers=Headers())
    for header in (
        ("Via", f"SIP/2.0/TCP stranger.invalid;branch=z9hG4bK{number};rport"),
        ("Max-Forwards", "70"),
        ("From", "<sip:stranger@example.com>;tag=1"),
        ("To", to or f"<sip:{CALLED}>"),
        ("Call-ID", f"{number}"),
        ("CSeq", f"1 {method}"),
        ("Contact", "<sip:stranger@stranger.invalid>"),
        *headers,
    ):
        made.headers.add(*header)
    return made.to_bytes()


def endpoint_of(servers: Servers, name: str) -> Endpoint:
    return {UM: servers.um, POOL: servers.voice}[name].endpoint


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize("name", [UM, POOL])
async def test_what_a_stranger_asks_is_refused_and_leaves_no_transaction(
    servers: Servers, name: str, what: str
) -> None:
    endpoint = endpoint_of(servers, name)
    secure = name == POOL
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        endpoint.connections.ports["tls" if secure else "tcp"],
        ssl=phone_tls_context(roots(servers.folder)) if secure else None,
        server_hostname=name if secure else None,
    )
    method, to, *headers = ASKED[what]
    writer.write(b"".join(asked(number, method, to, *headers) for number in range(5)))
    framer, answers = StreamFramer(), list[Response]()
    async with asyncio.timeout(10):
        while len(answers) < 5:
            for item in framer.feed(await reader.read(1 << 16)):
                assert isinstance(item, bytes)
                answers.append(parse_message(item))  # type: ignore[arg-type]
    assert all(answer.status >= 400 or (what, answer.status) == ("OPTIONS", 200) for answer in answers)
    assert not [each.key for each in endpoint.server_transactions if each.stranger]
    writer.close()
    await writer.wait_closed()
