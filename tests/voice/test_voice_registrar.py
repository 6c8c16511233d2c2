"""Registrations: outbound, Path, lock-out, and answers that do not tell whether an account exists."""

import logging
import statistics
import time
from collections.abc import Callable

import pytest

from tandem.core.clock import SystemClock
from tandem.directory import objects as o
from tandem.org.vocabulary import MediaEncryption, PoolKind, PoolType
from tandem.sip.aio.flow import OnClose
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import digest
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.message import Headers, Request, Response, response_to
from tandem.voice.config import VoiceConfig
from tandem.voice.registrar.authentication import PhoneAuthentication
from tandem.voice.registrar.location import MAX_BINDINGS, Binding, Location
from tandem.voice.registrar.lockout import FAILURES
from tandem.voice.registrar.registrar import register

ALICE = o.User(
    account="alice",
    container="OU=People,DC=example,DC=com",
    sip_address="sip:alice@example.com",
    sip_enabled=True,
)


class Connection:
    """A connection of a phone, without a socket."""

    transport, local, peer_names = "tls", ("127.0.0.1", 5061), frozenset[str]()

    def __init__(self, source: str = "192.0.2.1") -> None:
        self.remote = (source, 40_000)
        self.on_close = OnClose()
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self.on_close.run()


class Asked:
    """A request that came, and what it was answered."""

    def __init__(self, request: Request, flow: Connection) -> None:
        self.request, self.flow = request, flow
        self.answer = Response(status=100)

    def respond_with(self, status: int, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.answer = response_to(self.request, status, to_tag="x")
        for name, value in headers:
            self.answer.headers.add(name, value)

    respond_stateless = respond_with

    def prove(self) -> None:
        """The phone knows the secret."""


def message(contact: str, *more: tuple[str, str], vias: int = 1) -> Request:
    headers = [("Via", f"SIP/2.0/TLS h{i};branch=z9hG4bK{i}") for i in range(vias)]
    headers += [("From", "<sip:alice@example.com>;tag=1"), ("To", "<sip:alice@example.com>"), ("Call-ID", "1")]
    return Request(method="REGISTER", uri="sip:example.com", headers=Headers([*headers, ("CSeq", "1 REGISTER"), *more]))


def asked(location: Location, flow: Connection, contact: str, *more: tuple[str, str], vias: int = 1) -> Response:
    request = message(contact, *more, vias=vias)
    request.headers.add("Contact", contact)
    transaction = Asked(request, flow)
    register(transaction, ALICE, location, SystemClock())  # type: ignore[arg-type]
    return transaction.answer


PHONE = '<sip:alice@192.0.2.1:5061;transport=tls;ob>;+sip.instance="<urn:uuid:1>";reg-id=1'


def test_a_phone_that_comes_back_over_another_connection_takes_its_own_place() -> None:
    location, first, second = Location(), Connection(), Connection()
    asked(location, first, PHONE, ("Supported", "outbound, path"))
    answer = asked(location, second, PHONE.replace("5061", "5062"), ("Supported", "outbound"))
    assert answer.status == 200
    assert answer.headers.get("Require") == "outbound" and answer.headers.get("Flow-Timer") == "120"
    (shown,) = answer.headers.all("Contact")
    assert '+sip.instance="<urn:uuid:1>"' in shown and "reg-id=1" in shown and "5062" in shown
    first.close()
    assert [b.flow for b in location.of("alice@example.com", time.monotonic())] == [second]
    second.close()
    assert location.of("alice@example.com", time.monotonic()) == []


def test_of_one_phone_with_two_flows_one_is_rung() -> None:
    location = Location()
    asked(location, Connection(), PHONE)
    asked(location, Connection(), PHONE.replace("reg-id=1", "reg-id=2"))
    asked(location, Connection(), "<sip:alice@192.0.2.9:5061;transport=tls>")
    assert len(location.of("alice@example.com", time.monotonic())) == 2


def test_the_way_back_through_proxies_is_kept_and_told() -> None:
    location = Location()
    path = ("Path", "<sip:edge@192.0.2.7;lr;ob>, <sip:inner.example.com;lr;ob>")
    answer = asked(location, Connection(), PHONE, path, ("Supported", "path, outbound"), vias=2)
    assert answer.status == 200 and answer.headers.get("Path") == path[1]
    (binding,) = location.of("alice@example.com", time.monotonic())
    assert binding.path == ("<sip:edge@192.0.2.7;lr;ob>", "<sip:inner.example.com;lr;ob>")


def test_more_contacts_than_a_user_may_have_are_refused_before_they_are_read() -> None:
    location = Location()
    assert asked(location, Connection(), ", ".join(f"<sip:a@192.0.2.1:{n}>" for n in range(11))).status == 403
    with pytest.raises(MalformedMessage):  # the endpoint answers 400
        asked(location, Connection(), ", ".join(f"<sip:a@192.0.2.1:{n}>" for n in range(1_000)))
    assert (
        asked(
            location, Connection(), ", ".join(["<sip:a@192.0.2.1>"] * 5), *[("Contact", "<sip:b@192.0.2.1>")] * 6
        ).status
        == 403
    )
    assert location.of("alice@example.com", 0.0) == []


def test_a_phone_that_does_not_speak_outbound_registers_often() -> None:
    def granted(contact: str, *more: tuple[str, str]) -> str:
        return asked(Location(), Connection(), f"{contact};expires=3600", *more).headers.all("Contact")[0]

    assert ";expires=600" in granted("<sip:alice@192.0.2.1>")
    assert ";expires=3600" in granted(PHONE, ("Supported", "outbound"))


def test_contacts_that_expired_go_as_others_come() -> None:
    location, flow = Location(), Connection()
    for number in range(30):
        location.bind(f"u{number}", Binding(contact="sip:x@192.0.2.1", flow=flow, expires_at=60.0), 0.0)
    location.bind("u0", Binding(contact="sip:x@192.0.2.1", flow=flow, expires_at=600.0), 50.0)
    for number in range(12):
        location.bind(f"v{number}", Binding(contact="sip:y@192.0.2.1", flow=flow, expires_at=600.0), 61.0)
    assert len(location._bindings) == len(location._watched) == len(flow.on_close) == 13
    assert [user for user, _ in location.at(parse_uri("sip:x@192.0.2.1"), 61.0)] == ["u0"]


def test_one_register_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asked(Location(), Connection(), ", ".join(f"<sip:alice@192.0.2.{n}>" for n in range(MAX_BINDINGS)))
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"contacts={MAX_BINDINGS}" in line


def test_a_contact_leads_to_its_phone_until_it_is_taken_back_or_its_connection_is_gone() -> None:
    location, flow = Location(), Connection()
    asked(location, flow, PHONE)
    called = parse_uri("sip:alice@192.0.2.1:5061")
    ((user, binding),) = location.at(called, time.monotonic())
    assert (user, binding.flow) == ("alice@example.com", flow)
    assert location.at(parse_uri("sip:alice@192.0.2.1:5062"), time.monotonic()) == []
    asked(location, flow, PHONE.replace("5061", "5063"))  # the same phone, at another port
    assert location.at(called, time.monotonic()) == []
    flow.close()
    assert location.at(parse_uri("sip:alice@192.0.2.1:5063"), time.monotonic()) == []
    assert location._by_address == {}


@pytest.mark.parametrize(
    ("contact", "more", "vias", "status"),
    [
        (PHONE, (("Supported", "outbound"),), 2, 439),
        (PHONE, (("Supported", "outbound"), ("Path", "<sip:edge;lr>")), 2, 439),
        (PHONE, (), 2, 200),
        ("*", (("Expires", "0"),), 1, 200),
        ("*", (("Expires", "60"),), 1, 400),
        (f"{PHONE};expires=5", (), 1, 423),
        (PHONE, (("Path", ", ".join(["<sip:edge;lr>"] * 9)),), 1, 400),
    ],
)
def test_what_cannot_be_registered_is_refused(
    contact: str, more: tuple[tuple[str, str], ...], vias: int, status: int
) -> None:
    assert asked(Location(), Connection(), contact, *more, vias=vias).status == status


@pytest.mark.parametrize("contact", ["<sip:" + "%ff" * 300 + "@h>", "<sip:" + "#" * 700 + "@h>"])
def test_a_contact_that_is_too_long_to_be_written_is_refused_before_anything_changes(contact: str) -> None:
    location, flow = Location(), Connection()
    asked(location, flow, PHONE)
    with pytest.raises(MalformedMessage) as refused:  # the endpoint answers 400
        asked(location, flow, f"{PHONE.replace('5061', '5062')}, {contact}")
    assert refused.value.status == 400
    with pytest.raises(MalformedMessage):  # nor does anybody else's way into the location leave a half of it
        location.bind("alice@example.com", Binding(contact=contact[1:-1], flow=flow, expires_at=1.0), 0.0)  # type: ignore[arg-type]
    (binding,) = location.of("alice@example.com", 0.0)
    assert ":5061" in binding.contact
    assert len(location._watched) == len(flow.on_close) == len(location._by_address) == 1


def test_of_several_phones_with_one_contact_the_one_that_comes_from_there_is_called() -> None:
    called = parse_uri("sip:alice@192.0.2.1:5061")

    def led_to(*sources: tuple[str, int]) -> str:
        location = Location()
        for number, remote in enumerate(sources):
            flow = Connection()
            flow.remote = remote
            location.bind(f"u{number}", Binding(contact=f"{called}", flow=flow, expires_at=9.0), 0.0)  # type: ignore[arg-type]
        found = location.phone_at(called, 0.0)
        return found[0] if found else ""

    there, through_nat, there_by_tls = ("192.0.2.1", 5061), ("198.51.100.1", 5061), ("192.0.2.1", 40_000)
    assert led_to(through_nat) == led_to(there) == "u0"
    assert led_to(through_nat, there_by_tls) == led_to(through_nat, there, through_nat) == "u1"
    assert led_to(there_by_tls, there) == "u1"
    assert led_to(through_nat, through_nat) == led_to(there, there) == led_to() == ""


def test_a_phone_that_registers_for_days_on_one_connection_leaves_nothing_behind() -> None:
    location, flow = Location(), Connection()
    for _ in range(1000):
        asked(location, flow, PHONE)
    assert len(flow.on_close) == 1
    asked(location, flow, "*", ("Expires", "0"))
    assert len(flow.on_close) == 0


def test_one_phone_too_many_costs_the_oldest_its_place() -> None:
    location, flow = Location(), Connection()
    for number in range(12):
        location.bind("a", Binding(contact=f"sip:{number}", flow=flow, expires_at=9.0), 0.0)
    assert [b.contact for b in location.of("a", 0.0)] == [f"sip:{n}" for n in range(2, 12)]
    assert len(flow.on_close) == 10


class Secrets:
    """The index of a directory with one user."""

    def sip_secret(self, user: o.User) -> str:
        return {"alice": "right"}.get(user.account, "")


def access_with(algorithms: tuple[str, ...]) -> tuple[PhoneAuthentication, VoiceConfig]:
    pool = o.VoicePool(
        fqdn="pool1.example.com",
        kind=PoolKind.TANDEM,
        pool_type=PoolType.STANDARD_EDITION,
        media_encryption=MediaEncryption.REQUIRE,
        servers=(),
        digest=algorithms,
    )
    access = PhoneAuthentication(Secrets(), SystemClock(), "example.com")  # type: ignore[arg-type]
    return access, VoiceConfig(pool=pool, users={"alice@example.com": ALICE})


def try_as(
    access: PhoneAuthentication, config: VoiceConfig, name: str, secret: str, source: str = "192.0.2.1"
) -> Asked:
    first = Asked(message(""), Connection(source))
    access.authenticate(first, config)  # type: ignore[arg-type]
    value = digest.answer(
        first.answer.headers.all("WWW-Authenticate"),
        username=name,
        secret=secret,
        method="REGISTER",
        uri="sip:example.com",
        cnonce="c",
    )
    assert value is not None
    again = Asked(message("", ("Authorization", value)), Connection(source))
    access.authenticate(again, config)  # type: ignore[arg-type]
    return again


def answered_with(change: Callable[[str], str], uri: str = "sip:example.com") -> Asked:
    """A REGISTER of alice's with the right secret, whose Authorization was written otherwise."""
    access, config = access_with(("MD5",))
    first = Asked(message(""), Connection("192.0.2.1"))
    access.authenticate(first, config)  # type: ignore[arg-type]
    value = digest.answer(
        first.answer.headers.all("WWW-Authenticate"),
        username="alice",
        secret="right",
        method="REGISTER",
        uri=uri,
        cnonce="c",
    )
    assert value is not None
    again = Asked(message("", ("Authorization", change(value))), Connection("192.0.2.1"))
    user = access.authenticate(again, config)  # type: ignore[arg-type]
    assert (user is ALICE) is (again.answer.status == 100)
    return again


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value + ",",
        lambda value: value.replace("username", "Username").replace("realm", "REALM"),
        lambda value: value.replace(", ", ",, ,"),
        lambda value: value.replace("Digest", "DIGEST").replace("algorithm=MD5", "algorithm=md5"),
    ],
)
def test_a_digest_is_taken_as_phones_write_it(change: Callable[[str], str]) -> None:
    assert answered_with(change).answer.status == 100


def test_a_digest_for_something_else_is_refused_with_400() -> None:
    answer = answered_with(lambda value: value, uri="sip:evil.com").answer
    assert answer.status == 400 and "not for the Request-URI" in (answer.headers.get("Warning") or "")


def test_a_hostile_digest_is_refused_before_anything_is_known_of_its_sender() -> None:
    for hostile in ('Digest a="b",' * 40, "Digest " + 'a="b",' * 40 + "x", 'Digest username="' + '\\"' * 900):
        begun = time.thread_time()
        answer = answered_with(lambda _, hostile=hostile: hostile).answer  # type: ignore[misc]
        assert answer.status == 400
        assert time.thread_time() - begun < 0.5  # release 0.1 took days


def shape(answer: Response) -> list[str]:
    """An answer without what differs at random."""
    return [f"{answer.status}", *(name for name, _ in answer.headers)]


def test_nobody_learns_from_answers_whether_an_account_exists() -> None:
    access, config = access_with(("SHA-256", "MD5"))
    said = [
        [shape(try_as(access, config, name, "wrong", source=name).answer) for _ in range(FAILURES + 2)]
        for name in ("alice", "nobody")
    ]
    assert said[0] == said[1]
    assert said[0][0][0] == "401" and said[0][-1][0] == "403"


def test_forged_answers_lock_nobody_and_a_phone_whose_address_changed_is_asked_again() -> None:
    access, config = access_with(("SHA-256",))
    forged = (
        'Digest username="{}", realm="example.com", nonce="made-up", uri="sip:example.com", response="0",'
        ' algorithm=SHA-256, cnonce="1", qop=auth, nc=1'
    )
    for number in range(4 * FAILURES):
        asking = Asked(message("", ("Authorization", forged.format(f"x{number % 3}"))), Connection())
        assert access.authenticate(asking, config) is None  # type: ignore[arg-type]
        assert "stale=true" in (asking.answer.headers.get("WWW-Authenticate") or "")
    assert access._lockout._wrong == {}
    assert try_as(access, config, "alice", "right").answer.status == 100

    first = Asked(message(""), Connection())
    access.authenticate(first, config)  # type: ignore[arg-type]
    challenges = first.answer.headers.all("WWW-Authenticate")
    value = digest.answer(
        challenges, username="alice", secret="wrong", method="REGISTER", uri="sip:example.com", cnonce="c"
    )
    moved = Asked(message("", ("Authorization", value or "")), Connection("192.0.2.2"))
    access.authenticate(moved, config)  # type: ignore[arg-type]
    assert moved.answer.status == 401 and "stale=true" in (moved.answer.headers.get("WWW-Authenticate") or "")
    assert access._lockout._wrong == {}


def test_all_addresses_of_one_ipv6_network_are_one_source_of_guesses() -> None:
    access, config = access_with(("SHA-256",))
    said = [try_as(access, config, "alice", "wrong", f"2001:db8::{n:x}").answer.status for n in range(FAILURES + 1)]
    assert said == [401] * FAILURES + [403]
    assert try_as(access, config, "alice", "right", "2001:db8:0:1::1").answer.status == 100


def test_nobody_learns_from_time_whether_an_account_exists() -> None:
    access, config = access_with(("SHA-256",))
    times: dict[str, list[float]] = {"alice": [], "nobody": []}
    for turn in range(400):
        for name, taken in times.items():
            begun = time.perf_counter()
            try_as(access, config, name, "wrong", source=f"{turn}.{name}")
            taken.append(time.perf_counter() - begun)
    known, unknown = (statistics.median(times[name]) for name in times)
    assert 0.7 < known / unknown < 1.4


def algorithms_of(challenge: Callable[[], Response]) -> list[str]:
    values = challenge().headers.all("WWW-Authenticate")
    return [value.partition("algorithm=")[2].partition(",")[0] for value in values]


@pytest.mark.parametrize(
    ("allowed", "offered"),
    [(("MD5", "SHA-256"), ["SHA-256", "MD5"]), (("SHA-256",), ["SHA-256"]), (("MD5",), ["MD5"])],
)
def test_a_pool_offers_what_it_allows_the_strongest_first(allowed: tuple[str, ...], offered: list[str]) -> None:
    access, config = access_with(allowed)
    transaction = Asked(message(""), Connection())
    access.authenticate(transaction, config)  # type: ignore[arg-type]
    assert algorithms_of(lambda: transaction.answer) == offered
