"""Messages on disk: those of RFC 4475 and RFC 5118, and what fuzzing found. What is read of each, and what is answered.

``NAME.sip`` is a message as it comes off the wire; ``NAME.expected`` says as JSON where it is from and why it is there,
what is read of it (``read``, or the status that it is refused with), and what an element answers (``answer``, ``null`` for
nothing). Calls from the field (``field/``) have ``call`` in its place: see ``tests/call/test_call_vectors.py``. The RFCs'
messages are as printed, but for the Content-Lengths of RFC 5118, which do not fit its own bodies.

``python tests/sip/test_sip_vectors.py FILE.sip...`` writes what comes into ``read``; read it before you keep it.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.address import NameAddr, parse_name_addr
from tandem.sip.headers.uri import parse_uri
from tandem.sip.headers.via import vias
from tandem.sip.machines.uas import Abilities, refusal
from tandem.sip.message.framing import KeepAlive, StreamFramer
from tandem.sip.message.message import Request, Response
from tandem.sip.message.parse import parse_message

ROOT = Path(__file__).parent.parent / "vectors" / "sip"
VECTORS = sorted(ROOT.rglob("*.sip"))
SENTINEL = (
    b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n"
    b"Call-ID: sentinel\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


def expected(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".expected").read_text())
    return found


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def tried(read: Callable[[], object]) -> object:
    """What is read, or the status with which it is refused."""
    try:
        return read()
    except MalformedMessage as error:
        return error.status


def party(each: NameAddr) -> dict[str, object]:
    return {
        "name": each.name,
        "uri": each.uri,
        "parameters": each.parameters,
        "readable": tried(lambda: each.address.uri.host),
    }


def read(data: bytes) -> object:
    """All that we read of a message, or the status with which it is refused."""
    try:
        message = parse_message(data)
    except MalformedMessage as error:
        return error.status
    first: dict[str, object] = (
        {"status": message.status, "reason": message.reason}
        if isinstance(message, Response)
        else {"method": message.method, "uri": message.uri, "uri_parts": tried(lambda: uri_parts(message))}
    )
    sender, to = (parse_name_addr(message.headers.get(name)) for name in ("From", "To"))
    return {
        **first,
        "from": party(sender),
        "to": party(to),
        "call_id": fields.call_id(message),
        "cseq": str(fields.cseq(message)),
        "vias": [str(via) for via in vias(message)],
        "contacts": tried(lambda: [party(each) for each in fields.name_addrs(message.headers.all("Contact"))]),
        "max_forwards": tried(lambda: fields.number(message.headers.get("Max-Forwards"), default=70)),
        "body_bytes": len(message.body),
    }


def uri_parts(request: Request) -> dict[str, object]:
    uri = parse_uri(request.uri)
    return {
        "scheme": uri.scheme,
        "user": uri.user,
        "host": uri.host,
        "port": uri.port,
        "parameters": dict(uri.parameters),
    }


ANSWERED = [path for path in VECTORS if "answer" in expected(path)]


@pytest.mark.parametrize("path", VECTORS, ids=name)
def test_a_message_is_read_as_documented(path: Path) -> None:
    assert read(path.read_bytes()) == expected(path)["read"]


@pytest.mark.parametrize("path", [p for p in VECTORS if isinstance(expected(p)["read"], dict)], ids=name)
def test_what_was_read_and_written_is_read_the_same(path: Path) -> None:
    once = parse_message(path.read_bytes()).to_bytes()
    assert read(once) == expected(path)["read"]
    assert parse_message(once).to_bytes() == once


class Element:
    """A user agent server on a real socket, and a socket to ask it by."""

    def __init__(self, endpoint: Endpoint, reader: asyncio.DatagramTransport, answers: "asyncio.Queue[bytes]") -> None:
        self.endpoint, self.transport, self.answers = endpoint, reader, answers

    async def answer(self, data: bytes) -> int | None:
        """The status of the answer; ``None`` when the request after it is answered first."""
        self.transport.sendto(data)
        self.transport.sendto(SENTINEL)
        statuses = {}
        while "sentinel" not in statuses:
            answer = await asyncio.wait_for(self.answers.get(), 5)
            sentinel = b"Call-ID: sentinel" in answer
            statuses["sentinel" if sentinel else "answer"] = int(answer.split(b" ", 2)[1])
        return statuses.get("answer")


class Answers(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.queue.put_nowait(data)


def serve(transaction: ServerTransaction) -> None:
    """What every server of ours does with a request outside of a dialog."""
    request = transaction.request
    able = Abilities(methods=("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER"))
    if fields.to_tag(request):
        transaction.respond_with(481)
    elif refused := refusal(request, able):
        transaction.respond_with(refused.status, headers=refused.headers)
    else:
        fields.to(request)
        fields.addresses(request.headers.all("Contact"))
        transaction.respond_with(200)


@pytest.fixture
async def element() -> AsyncIterator[Element]:
    endpoint = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())
    endpoint.on_request = serve
    address = await endpoint.listen_udp("127.0.0.1", 0)
    transport, answers = await asyncio.get_running_loop().create_datagram_endpoint(Answers, remote_addr=address)
    yield Element(endpoint, transport, answers.queue)
    transport.close()
    await endpoint.close()


@pytest.mark.parametrize(
    ("data", "answer"), [(p.read_bytes(), expected(p)["answer"]) for p in ANSWERED], ids=map(name, ANSWERED)
)
async def test_an_element_answers_a_message_as_documented(element: Element, data: bytes, answer: int | None) -> None:
    assert await element.answer(data) == answer


def test_there_are_as_many_messages_as_in_the_rfcs() -> None:
    assert [len(list((ROOT / rfc).glob("*.sip"))) for rfc in ("rfc4475", "rfc5118")] == [49, 12]


def test_a_stream_finds_the_second_request_of_dblreq() -> None:
    first, keep_alive, second = StreamFramer().feed((ROOT / "rfc4475" / "dblreq.sip").read_bytes())
    assert isinstance(first, bytes) and first.startswith(b"REGISTER")
    assert isinstance(keep_alive, KeepAlive)
    assert isinstance(second, bytes) and second.startswith(b"INVITE")


if __name__ == "__main__":
    for each in map(Path, sys.argv[1:]):
        file = each.with_suffix(".expected")
        known = (
            json.loads(file.read_text()) if file.exists() else {"source": "", "why": "", "read": None, "answer": None}
        )
        text = json.dumps({**known, "read": read(each.read_bytes())}, indent=2, ensure_ascii=False)
        file.write_text(text + "\n")
