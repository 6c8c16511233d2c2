"""Lock-out of those who guess SIP secrets: pure, then with the authentication and over real sockets."""

import dataclasses
import logging

import pytest

from tandem.admin.trial.demo import CALLED, CALLER
from tandem.core.counters import families
from tandem.sip.headers import digest
from tandem.sip.message.message import Request, Response
from tandem.voice.registrar.lockout import FAILURES, LOCKED_S, WINDOW_S, Locked, Lockout
from voice.pool import Handset, Pool

ALICE, BOB = "alice@example.com", "bob@example.com"


def guessed(
    lockout: Lockout, times: int, account: str = ALICE, source: str = "1.1.1.1", now: float = 0.0
) -> list[Locked]:
    return [what for _ in range(times) for what in lockout.failed(account, source, now)]


def test_ten_wrong_answers_lock_the_account_for_that_address_once_and_for_a_time() -> None:
    lockout = Lockout()
    assert guessed(lockout, FAILURES - 1) == []
    assert lockout.locked_s(ALICE, "1.1.1.1", 0.0) == 0
    assert guessed(lockout, 1) == [Locked.ACCOUNT_AT_SOURCE]
    assert guessed(lockout, 5, now=1.0) == []  # neither longer nor locked twice
    assert lockout.locked_s(ALICE, "1.1.1.1", 1.0) == LOCKED_S - 1
    assert lockout.locked_s(ALICE, "2.2.2.2", 1.0) == lockout.locked_s(BOB, "1.1.1.1", 1.0) == 0
    assert lockout.locks(1.0) == 1
    assert lockout.locked_s(ALICE, "1.1.1.1", LOCKED_S) == lockout.locks(LOCKED_S) == 0
    assert guessed(lockout, FAILURES - 1, now=LOCKED_S) == []  # the count starts over


def test_wrong_answers_that_are_far_apart_lock_nobody() -> None:
    lockout = Lockout()
    for number in range(5 * FAILURES):
        assert guessed(lockout, 1, now=number * WINDOW_S) == []


def test_the_window_begins_at_the_first_wrong_answer() -> None:
    lockout = Lockout()
    for number in range(50):  # one each 60 s, as a phone with an old secret asks: five in a window, never ten
        assert guessed(lockout, 1, now=number * 60.0) == []
    assert guessed(lockout, FAILURES - 1, BOB, now=0.0) == []
    assert guessed(lockout, 1, BOB, now=WINDOW_S) == []
    assert guessed(lockout, FAILURES - 1, BOB, now=WINDOW_S + 1) == [Locked.ACCOUNT_AT_SOURCE]


def test_an_old_secret_in_a_phone_where_the_account_was_proved_locks_nobody_else() -> None:
    lockout = Lockout()
    lockout.succeeded(ALICE, "office")
    assert guessed(lockout, 20 * FAILURES, source="office") == [Locked.ACCOUNT_AT_SOURCE]
    assert lockout.locked_s(BOB, "office", 0.0) == lockout.locked_s(ALICE, "home", 0.0) == 0


def test_who_guesses_many_accounts_is_locked_for_all_but_those_that_were_proved_there() -> None:
    lockout = Lockout()
    lockout.succeeded(BOB, "office")
    for number in range(3 * FAILURES):
        lockout.failed(f"user{number}@example.com", "office", 0.0)
    assert lockout.locked_s(ALICE, "office", 1.0) > 0
    assert lockout.locked_s(BOB, "office", 1.0) == 0


def test_a_neighbour_who_guesses_at_the_same_address_locks_no_phone_out() -> None:
    lockout = Lockout()
    lockout.succeeded(ALICE, "office")
    assert guessed(lockout, FAILURES, source="office") == [Locked.ACCOUNT_AT_SOURCE]
    assert lockout.locked_s(ALICE, "office", 1.0) == 0
    assert lockout.succeeded(ALICE, "office")
    assert lockout.locks(1.0) == 0


def test_many_addresses_that_guess_together_lock_an_account_but_not_its_own_phone() -> None:
    lockout = Lockout()
    lockout.succeeded(ALICE, "home")
    locked = [what for n in range(10 * FAILURES) for what in lockout.failed(ALICE, f"bot{n}", 0.0)]
    assert locked == [Locked.ACCOUNT]
    assert lockout.locked_s(ALICE, "bot-new", 1.0) > 0
    assert lockout.locked_s(ALICE, "home", 1.0) == lockout.locked_s(BOB, "bot-new", 1.0) == 0
    assert lockout.locked_s(ALICE, "bot-new", LOCKED_S + 1) == 0


def test_what_was_counted_before_an_unlock_does_not_count() -> None:
    lockout = Lockout()
    for _ in range(FAILURES):
        lockout.failed(ALICE, "1.1.1.1", 0.0, epoch="first")
    assert lockout.locked_s(ALICE, "1.1.1.1", 0.0, epoch="first") > 0
    assert lockout.locked_s(ALICE, "1.1.1.1", 0.0, epoch="second") == 0


# Over real sockets


async def registered(phone: Handset, username: str, secret: str) -> Response:
    """A REGISTER under a name of its own spelling."""
    request = phone.request("REGISTER", "sip:example.com")
    challenged = await phone.ask(request, prove=False)
    value = digest.answer(
        challenged.headers.all("WWW-Authenticate"),
        username=username,
        secret=secret,
        method="REGISTER",
        uri="sip:example.com",
        cnonce="c",
    )
    again: Request = phone.request("REGISTER", "sip:example.com", ("Authorization", value or ""))
    return await phone.ask(again, prove=False)


def counted(name: str) -> float:
    return next(family.total() for family in families() if family.name == name)


async def test_a_lock_out_is_logged_once_counts_every_spelling_and_says_for_how_long(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    alice = Handset(pool, CALLED)
    await alice.connect()
    before = counted("tandem_voice_lockouts_total"), counted("tandem_voice_locked_refusals_total")
    caplog.set_level(logging.INFO)
    for number in range(FAILURES):
        spelling = ("alice", "ALICE", "alice@example.com", "Alice@Example.com")[number % 4]
        assert (await registered(alice, spelling, "wrong")).status == 401
    for _ in range(3):
        refused = await registered(alice, "alice", pool.secret(CALLED))
        assert refused.status == 403
        assert 0 < int(refused.headers.get("Retry-After") or 0) <= LOCKED_S
        assert "too many wrong secrets" in (refused.headers.get("Warning") or "")
    logged = [record.getMessage() for record in caplog.records if "voice.locked" in record.getMessage()]
    assert len(logged) == 1 and "account=alice@example.com" in logged[0] and "seconds=300" in logged[0]
    assert counted("tandem_voice_lockouts_total") == before[0] + 1
    assert counted("tandem_voice_locked_refusals_total") == before[1] + 3
    assert counted("tandem_voice_locked") == 1
    await alice.endpoint.close()


async def test_when_the_time_is_over_the_right_secret_is_taken(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = Handset(pool, CALLED)
    await alice.connect()
    for _ in range(FAILURES):
        await registered(alice, "alice", "wrong")
    assert (await registered(alice, "alice", pool.secret(CALLED))).status == 403
    now = pool.server.clock.now
    monkeypatch.setattr(pool.server._authentication._clock, "now", lambda: now() + LOCKED_S)
    assert (await registered(alice, "alice", pool.secret(CALLED))).status == 200
    await alice.endpoint.close()


async def test_an_administrator_who_unlocks_a_user_ends_the_lock_out(pool: Pool) -> None:
    alice = Handset(pool, CALLED)
    await alice.connect()
    for _ in range(FAILURES):
        await registered(alice, "alice", "wrong")
    following = pool.server.following
    users = dict(following.config.users)
    users[CALLED] = dataclasses.replace(users[CALLED], sip_unlocks=1)
    following.config = dataclasses.replace(following.config, users=users)
    assert (await registered(alice, "alice", pool.secret(CALLED))).status == 200
    await alice.endpoint.close()


async def test_phones_at_an_address_from_which_somebody_guesses_go_on(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob, guesser = Handset(pool, CALLED), Handset(pool, CALLER), Handset(pool, CALLED)
    for phone in (alice, bob, guesser):
        await phone.connect()
    assert (await alice.register()).status == (await bob.register()).status == 200
    caplog.set_level(logging.INFO)
    for name in ("alice", "bob", "carla", "dave"):
        for _ in range(FAILURES):
            await registered(guesser, name, "wrong")
    assert (await registered(guesser, "dave", "wrong")).status == 403
    assert (await alice.register()).status == (await bob.register()).status == 200
    assert "voice.unlocked account=alice@example.com" in caplog.text
    for phone in (alice, bob, guesser):
        await phone.endpoint.close()


async def test_nobody_learns_who_exists_by_speaking_of_other_domains(pool: Pool) -> None:
    said = []
    for name in ("alice", "nobody"):
        phone = Handset(pool, CALLED)
        await phone.connect()
        answers = []
        for number in range(FAILURES + 1):
            phone.address = f"{name}@other{number}.example.net"
            answers.append((await registered(phone, name, "wrong")).status)
        said.append(answers)
        pool.server._authentication._lockout = Lockout()
        await phone.endpoint.close()
    assert said[0] == said[1] == [401] * FAILURES + [403]
