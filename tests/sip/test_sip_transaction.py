import pytest

from tandem.sip.headers.via import top_via
from tandem.sip.machines.transaction import (
    T1,
    ClientTransactionMachine,
    ServerTransactionMachine,
    TransactionState,
    TransactionVerb,
)
from tandem.sip.message.message import Headers, Request, Response, response_to
from tandem.sip.message.parse import parse_message


def request(method: str = "INVITE") -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP a:5060;branch=z9hG4bK1"),
            ("Max-Forwards", "70"),
            ("From", "<sip:a@x>;tag=1"),
            ("To", "<sip:b@y>"),
            ("Call-ID", "c1"),
            ("CSeq", f"7 {method}"),
        ]
    )
    return Request(method=method, uri="sip:b@y", headers=headers)


def answer(status: int, method: str = "INVITE") -> Response:
    return response_to(request(method), status, to_tag="t")


def sent_at(machine: ClientTransactionMachine | ServerTransactionMachine, until: float) -> list[float]:
    """The moments at which the machine sends again, and at which it gives up (negative)."""
    moments = []
    while (at := machine.next_timeout()) is not None and at <= until:
        for output in machine.timeout(at):
            moments.append(at if output.do is TransactionVerb.SEND else -at)
    return moments


def test_an_invite_is_sent_again_at_doubling_intervals_until_timer_b() -> None:
    machine = ClientTransactionMachine(request(), reliable=False, now=0.0)
    assert sent_at(machine, 100) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, -32.0]
    assert machine.terminated


def test_another_request_is_sent_again_at_intervals_of_at_most_t2() -> None:
    machine = ClientTransactionMachine(request("OPTIONS"), reliable=False, now=0.0)
    assert sent_at(machine, 100) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, -32.0]


def test_over_a_reliable_transport_nothing_is_sent_again() -> None:
    machine = ClientTransactionMachine(request(), reliable=True, now=0.0)
    assert sent_at(machine, 100) == [-64 * T1]


def test_a_refusal_is_acknowledged_each_time_and_delivered_once() -> None:
    machine = ClientTransactionMachine(request(), reliable=False, now=0.0)
    first = machine.received(answer(486), 1.0)
    assert [o.do for o in first] == [TransactionVerb.ACK, TransactionVerb.DELIVER]
    ack = parse_message(first[0].data)
    assert isinstance(ack, Request)
    assert (ack.method, ack.headers.get("CSeq"), ack.headers.get("To")) == ("ACK", "7 ACK", "<sip:b@y>;tag=t")
    assert top_via(ack).parameters["branch"] == "z9hG4bK1"
    assert [o.do for o in machine.received(answer(486), 2.0)] == [TransactionVerb.ACK]
    assert machine.timeout(34.0) == [] and machine.terminated


def test_every_200_is_delivered_until_timer_m() -> None:
    machine = ClientTransactionMachine(request(), reliable=False, now=0.0)
    for now in (1.0, 2.0):
        assert [o.do for o in machine.received(answer(200), now)] == [TransactionVerb.DELIVER]
    machine.timeout(1.0 + 64 * T1)
    assert machine.terminated and machine.received(answer(200), 40.0) == []


def test_a_proceeding_invite_waits_until_it_is_cancelled() -> None:
    machine = ClientTransactionMachine(request(), reliable=False, now=0.0)
    machine.received(answer(180), 0.1)
    assert machine.next_timeout() is None
    machine.expire_after(64 * T1, 10.0)
    assert [o.do for o in machine.timeout(42.0)] == [TransactionVerb.TIME_OUT]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_broken_transport_ends_it(method: str) -> None:
    machine = ClientTransactionMachine(request(method), reliable=True, now=0.0)
    assert [o.do for o in machine.broken(0.1)] == [TransactionVerb.BREAK]
    assert machine.broken(0.2) == []


def test_a_repeated_request_gets_the_last_response_again() -> None:
    machine = ServerTransactionMachine(request("OPTIONS"), reliable=False, now=0.0)
    assert machine.received(request("OPTIONS"), 0.1) == []
    (sent,) = machine.respond(answer(200, "OPTIONS"), 0.2)
    (again,) = machine.received(request("OPTIONS"), 0.3)
    assert again.data == sent.data
    machine.timeout(0.2 + 64 * T1)
    assert machine.terminated


def test_a_refusal_of_an_invite_is_sent_again_until_its_ack() -> None:
    machine = ServerTransactionMachine(request(), reliable=False, now=0.0)
    machine.respond(answer(486), 0.0)
    assert sent_at(machine, 4.0) == [0.5, 1.5, 3.5]
    ack = request()
    ack.method = "ACK"
    assert machine.received(ack, 4.0) == []
    assert machine.state is TransactionState.CONFIRMED
    assert sent_at(machine, 60.0) == [] and machine.terminated


def test_a_refusal_without_an_ack_is_given_up_after_timer_h() -> None:
    machine = ServerTransactionMachine(request(), reliable=False, now=0.0)
    machine.respond(answer(486), 0.0)
    assert sent_at(machine, 60.0)[-1] == -32.0 and machine.terminated


def test_after_a_final_response_no_other_is_sent() -> None:
    machine = ServerTransactionMachine(request(), reliable=True, now=0.0)
    assert machine.respond(answer(200), 0.0)
    assert machine.respond(answer(486), 0.1) == [] and machine.respond(answer(180), 0.1) == []


def test_an_invite_that_its_server_leaves_unanswered_is_given_up_five_minutes_after_the_last_provisional_response() -> (
    None
):
    machine = ServerTransactionMachine(request(), reliable=True, now=0.0)
    assert machine.next_timeout() == 300
    machine.respond(answer(180), 200.0)
    assert machine.next_timeout() == 500
    assert [each.do for each in machine.timeout(500.0)] == [TransactionVerb.TIME_OUT]
    assert [each.do for each in machine.respond(answer(408), 500.0)] == [TransactionVerb.SEND]
    assert machine.next_timeout() == 500 + 64 * T1  # timer H


def test_only_an_invite_is_given_up_by_its_server() -> None:
    assert ServerTransactionMachine(request("OPTIONS"), reliable=True, now=0.0).next_timeout() is None
