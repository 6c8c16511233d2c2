"""Transactions that linger: one timer for all of them, whatever their number."""

import asyncio

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.lingering import LingeringTransactions
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction

OPTIONS = (
    b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;rport;branch=z9hG4bK%d\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n"
    b"Call-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


class Waiting:
    def __init__(self, name: str, until: float, expired: list[str]) -> None:
        self.name, self.until, self._expired = name, until, expired

    def expire(self) -> None:
        self._expired.append(self.name)


def endpoint() -> Endpoint:
    return Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())


async def test_each_expires_in_its_time_whatever_came_before_it() -> None:
    made, expired = endpoint(), list[str]()
    lingering = LingeringTransactions(made.clock)
    now = made.clock.now()
    for name, wait in (("late", 0.6), ("soon", 0.05), ("later", 0.6)):
        lingering.add(Waiting(name, now + wait, expired), now)
    await asyncio.sleep(0.2)
    assert expired == ["soon"]
    await asyncio.sleep(0.5)
    assert expired == ["soon", "late", "later"]
    await made.close()


async def test_an_answered_request_holds_neither_itself_nor_its_user_nor_a_timer_and_is_answered_again() -> None:
    made, answers = endpoint(), asyncio.Queue[bytes]()
    served: list[ServerTransaction] = []

    def serve(transaction: ServerTransaction) -> None:
        served.append(transaction)
        transaction.respond_with(200)

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            answers.put_nowait(data)

    made.on_request = serve
    address = await made.listen_udp("127.0.0.1", 0)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Client, remote_addr=address)
    transport.sendto(OPTIONS % 1)
    first = await asyncio.wait_for(answers.get(), 5)
    answering = served[0].answering
    assert answering.user is None and answering._alarm is None
    transport.sendto(OPTIONS % 1)
    assert await asyncio.wait_for(answers.get(), 5) == first
    assert len(served) == 1
    transport.close()
    await made.close()
    assert made.lingering._timer is None
