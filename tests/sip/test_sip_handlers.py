"""Every request is answered, whatever its handler does: raises, returns, is cancelled, at any point."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ClientTransaction, ServerTransaction
from tandem.sip.errors import MalformedMessage
from tandem.sip.message.message import Headers, Request, Response

Handle = Callable[[ServerTransaction], Coroutine[Any, Any, None] | None]


def request(method: str = "OPTIONS") -> Request:
    headers = [("Max-Forwards", "70"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@y>"), ("Call-ID", "c1")]
    return Request(method=method, uri="sip:b@y", headers=Headers([*headers, ("CSeq", f"1 {method}")]))


class Pair:
    def __init__(self) -> None:
        self.client, self.server = (
            Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver()) for _ in range(2)
        )

    async def listen(self) -> None:
        _, port = await self.server.listen_tcp("127.0.0.1", 0)
        self.hop = Hop(transport="tcp", host="127.0.0.1", port=port)

    async def send(self, method: str = "OPTIONS") -> ClientTransaction:
        return await self.client.send(request(method), self.hop)

    async def statuses(self, handle: Handle, method: str = "OPTIONS") -> list[int]:
        self.server.on_request = handle
        async with asyncio.timeout(5):
            return [response.status async for response in (await self.send(method)).responses()]

    async def still_serves(self) -> bool:
        return await self.statuses(lambda transaction: transaction.respond_with(200)) == [200]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair()
    await made.listen()
    yield made
    await made.client.close()
    await made.server.close()


def raises_at_once(transaction: ServerTransaction) -> None:
    raise ZeroDivisionError


def returns_at_once(transaction: ServerTransaction) -> None:
    pass


async def raises_first(transaction: ServerTransaction) -> None:
    raise ZeroDivisionError


async def raises_after_ringing(transaction: ServerTransaction) -> None:
    transaction.respond_with(180)
    await asyncio.sleep(0)
    raise ZeroDivisionError


async def returns_after_ringing(transaction: ServerTransaction) -> None:
    transaction.respond_with(180)
    await asyncio.sleep(0)


async def cancels_itself(transaction: ServerTransaction) -> None:
    assert transaction.task is not None
    transaction.task.cancel()
    await asyncio.sleep(1)


async def cannot_read_it(transaction: ServerTransaction) -> None:
    await asyncio.sleep(0)
    raise MalformedMessage("the URI is no URI", status=416)


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        (raises_at_once, [500]),
        (returns_at_once, [500]),
        (raises_first, [500]),
        (raises_after_ringing, [180, 500]),
        (returns_after_ringing, [180, 500]),
        (cancels_itself, [500]),
        (cannot_read_it, [416]),
    ],
)
async def test_a_handler_that_ends_without_a_final_response_leaves_its_request_answered(
    pair: Pair, handle: Handle, expected: list[int]
) -> None:
    told: list[str] = []

    def watched(transaction: ServerTransaction) -> Coroutine[Any, Any, None] | None:
        transaction.on_failed = lambda: told.append("failed")
        transaction.on_ended = lambda: told.append("ended")
        return handle(transaction)

    assert await pair.statuses(watched, "INVITE") == expected
    assert told == ["failed", "ended"]
    assert await pair.still_serves()


async def test_what_a_handler_answered_before_it_raised_is_given_up_once(pair: Pair) -> None:
    told: list[str] = []

    async def handle(transaction: ServerTransaction) -> None:
        transaction.on_failed = lambda: told.append("failed")
        transaction.on_ended = lambda: told.append("ended")
        transaction.respond_with(200)
        await asyncio.sleep(0)
        raise ZeroDivisionError

    assert await pair.statuses(handle, "INVITE") == [200]
    await asyncio.sleep(0.01)
    assert told == ["failed", "ended"]


async def test_a_handler_that_answers_and_returns_has_not_failed(pair: Pair) -> None:
    told: list[str] = []

    async def handle(transaction: ServerTransaction) -> None:
        transaction.on_failed = lambda: told.append("failed")
        transaction.on_ended = lambda: told.append("ended")
        transaction.respond_with(200)

    assert await pair.statuses(handle) == [200]
    await asyncio.sleep(0.01)
    assert told == ["ended"]


async def test_an_endpoint_that_closes_answers_what_its_handlers_still_work_at(pair: Pair) -> None:
    async def waits(transaction: ServerTransaction) -> None:
        transaction.respond_with(180)
        await asyncio.Event().wait()

    pair.server.on_request = waits
    responses = (await pair.send("INVITE")).responses()
    assert (await anext(responses)).status == 180
    closing = asyncio.create_task(pair.server.close())
    assert (await asyncio.wait_for(anext(responses), 5)).status == 500
    await closing


async def test_an_invite_that_its_handler_has_forgotten_is_answered_and_its_handler_cancelled(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tandem.sip.machines.transaction.NO_ANSWER_S", 0.05)
    told: list[str] = []

    async def forgets(transaction: ServerTransaction) -> None:
        transaction.on_failed = lambda: told.append("failed")
        transaction.on_ended = lambda: told.append("ended")
        await asyncio.Event().wait()

    assert await pair.statuses(forgets, "INVITE") == [408]
    await pair.server.handlers.idle()
    assert told == ["failed", "ended"]


async def in_one_segment(pair: Pair, handle: Handle) -> list[str]:
    """The status lines that come back for an INVITE and its CANCEL in one TCP segment."""
    pair.server.on_request = handle
    reader, writer = await asyncio.open_connection(pair.hop.host, pair.hop.port)
    both = [request(method) for method in ("INVITE", "CANCEL")]
    for each in both:
        each.headers.prepend("Via", "SIP/2.0/TCP 127.0.0.1;rport;branch=z9hG4bK1")
        each.headers.set("CSeq", f"1 {each.method}")
    writer.write(b"".join(each.to_bytes() for each in both))
    said = b""
    async with asyncio.timeout(5):
        while b" 487 " not in said or b"CANCEL" not in said:
            said += await reader.read(4096)
    writer.close()
    lines = said.decode().split("\r\n")
    return [line for line in lines if line.startswith(("SIP/2.0", "CSeq"))]


async def test_a_cancel_in_the_segment_of_its_invite_ends_a_handler_that_does_not_look_for_one(pair: Pair) -> None:
    ran: list[str] = []

    async def handle(transaction: ServerTransaction) -> None:
        ran.append("began")
        await asyncio.sleep(1)
        transaction.respond_with(200)

    seen = await in_one_segment(pair, handle)
    assert sorted(zip(seen[::2], seen[1::2], strict=True)) == [
        ("SIP/2.0 200 OK", "CSeq: 1 CANCEL"),
        ("SIP/2.0 487 Request Terminated", "CSeq: 1 INVITE"),
    ]
    assert ran == [] and not len(pair.server.handlers)


async def test_a_cancel_in_the_segment_of_its_invite_reaches_a_handler_that_looks_for_one(pair: Pair) -> None:
    def handle(transaction: ServerTransaction) -> Coroutine[Any, Any, None]:
        cancelled = asyncio.Event()
        transaction.on_cancel = cancelled.set

        async def serve() -> None:
            await cancelled.wait()
            transaction.respond_with(487)

        return serve()

    assert "SIP/2.0 487 Request Terminated" in await in_one_segment(pair, handle)


async def test_a_cancel_that_a_handler_stumbles_over_is_answered_all_the_same(pair: Pair) -> None:
    async def handle(transaction: ServerTransaction) -> None:
        await asyncio.sleep(5)

    def watched(transaction: ServerTransaction) -> Coroutine[Any, Any, None]:
        transaction.on_cancel = lambda: [][0]
        return handle(transaction)

    assert "SIP/2.0 487 Request Terminated" in await in_one_segment(pair, watched)
    assert await pair.still_serves()


async def test_what_a_client_makes_of_a_late_response_costs_its_connection_nothing(pair: Pair) -> None:
    async def twice(transaction: ServerTransaction) -> None:
        transaction.respond_with(200)
        transaction.respond_with(200)

    def stumble(response: Response) -> None:
        raise ZeroDivisionError

    pair.server.on_request = twice
    transaction = await pair.send("INVITE")
    transaction.on_late = stumble
    assert (await asyncio.wait_for(transaction.final(), 5)).status == 200
    await asyncio.sleep(0.01)
    assert await pair.still_serves()


async def test_a_flow_tells_everyone_of_its_end_also_where_one_stumbles(pair: Pair) -> None:
    told: list[str] = []
    flow = await pair.client.flow_to(pair.hop)
    flow.on_close.append(lambda: [][0])
    flow.on_close.append(lambda: told.append("closed"))
    flow.on_close.run()
    assert told == ["closed"]
