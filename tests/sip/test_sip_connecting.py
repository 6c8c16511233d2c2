"""Connections under way are shared, and a place that was silent is left alone for some seconds; on real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.sip.aio import connecting
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.machines.failures import AVOIDED_S, LONGEST_S, Failures
from tandem.sip.machines.locate import ServerAddress

HOST = "127.0.0.79"


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """The port of a machine that answers nothing: a listener whose backlog is full drops what comes."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(4):
            filling = held.enter_context(socket.socket())
            filling.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filling.connect(listener.getsockname())
        yield listener.getsockname()[1]


def endpoint() -> Endpoint:
    return Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())


async def test_calls_to_a_silent_place_fail_together_and_the_next_ones_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_S", 0.2)
    client, loop = endpoint(), asyncio.get_running_loop()

    async def connects(port: int, patience_s: float) -> float:
        begun = loop.time()
        with pytest.raises(ConnectionError, match="did not answer"):
            await client.flow_to(Hop(transport="tcp", host=HOST, port=port), patience_s)
        return loop.time() - begun

    with silent() as port:
        hurried, *patient = await asyncio.gather(*(connects(port, s) for s in (0.05, 5.0, 5.0, 5.0, 5.0, 5.0)))
        assert hurried < 0.2 <= min(patient) and max(patient) < 0.4  # one after the other they would take a second
        assert await connects(port, 5.0) < 0.1
    await client.close()


async def test_who_comes_late_to_an_attempt_waits_no_longer_than_who_came_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, loop = endpoint(), asyncio.get_running_loop()
    with silent() as port:
        place = ServerAddress(transport="tcp", host=HOST, port=port)
        hop = Hop(transport="tcp", host=HOST, port=port)
        with pytest.raises(ConnectionError):
            await client.connections.connect(hop, place, patience_s=0.1)
        begun = loop.time()
        with pytest.raises(ConnectionError):
            await client.connections.connect(hop, place, patience_s=0.1)
        assert loop.time() - begun < 0.05
        await client.close()


async def test_a_connection_is_opened_once_for_all_who_want_it_and_refusals_are_not_remembered() -> None:
    client, server = endpoint(), endpoint()
    _, port = await server.listen_tcp("127.0.0.1", 0)
    hop = Hop(transport="tcp", host="127.0.0.1", port=port)
    flows = await asyncio.gather(*(client.flow_to(hop) for _ in range(6)))
    assert len(set(flows)) == 1
    await server.close()
    await asyncio.sleep(0.01)
    with pytest.raises(ConnectionError):
        await client.flow_to(hop)
    again = endpoint()
    await again.listen_tcp("127.0.0.1", port)
    assert not (await client.flow_to(hop)).closed
    await client.close()
    await again.close()


async def test_who_gives_up_leaves_the_attempt_to_the_others() -> None:
    client, server = endpoint(), endpoint()
    _, port = await server.listen_tcp("127.0.0.1", 0)
    hop = Hop(transport="tcp", host="127.0.0.1", port=port)
    waiting = [asyncio.ensure_future(client.flow_to(hop)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert not (await waiting[1]).closed
    await client.close()
    await server.close()


def test_a_failure_is_remembered_for_as_long_as_it_said_and_a_bounded_number_of_them() -> None:
    failures = Failures()
    failures.failed("um1", 100.0)
    failures.failed("um2", 100.0, for_s=5)
    failures.failed("um3", 100.0, for_s=86_400)
    assert [failures.avoided(each, 104.9) for each in ("um1", "um2", "um3", "um4")] == [True, True, True, False]
    assert [failures.avoided(each, 105.0) for each in ("um1", "um2")] == [True, False]
    assert not failures.avoided("um1", 100.0 + AVOIDED_S) and not failures.avoided("um3", 100.0 + LONGEST_S)
    for number in range(5_000):
        failures.failed(number, 200.0)
    assert sum(failures.avoided(number, 200.0) for number in range(5_000)) == 1_000
