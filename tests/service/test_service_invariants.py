"""Invariants 1 and 2 of docs/architecture.md over both servers: every request is answered, no task dies unseen."""

import asyncio
import contextlib
import functools
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import deployment
from service.servers import RawPeer, Servers, operated, page, serving
from tandem.admin.trial.demo import CALLED, CALLER, POOL, UM
from tandem.call.errors import CallFailed
from tandem.call.incoming import IncomingCall
from tandem.core.tasks import Supervisor, Work
from tandem.mail.errors import SpoolTaken
from tandem.mail.spool import Spool
from tandem.probe.errors import PhoneError
from tandem.probe.phone import When
from tandem.service import service
from tandem.sip.headers import digest
from tandem.sip.machines.transaction import cancel_for
from tandem.sip.message.message import Headers, Request
from tandem.um import server as um_server
from tandem.um.answering import CallAnswering
from tandem.um.delivery import Delivery
from tandem.um.menu.driver import MenuCall
from tandem.um.menu.runner import MenuRunner
from tandem.um.prompts import Prompts
from tandem.um.telling import AT_ONCE
from tandem.voice.mwi import MwiRelay
from tandem.voice.proxy import fork
from tandem.voice.proxy.proxy import ProxiedCall
from tandem.voice.registrar.authentication import PhoneAuthentication
from tandem.voice.registrar.location import Location
from tandem.voice.routing import decision
from tandem.wiring import CannotServe, Home, Listen, start_um, start_voice

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Both servers, which every test but those of background work leaves as they were."""
    folder = deployment.copy(deployed_template, tmp_path_factory.mktemp("invariants") / "x")
    async with serving(folder) as made:
        yield made


class Broken(Exception):
    """What a handler raises here."""


def broken(*_: Any, **__: Any) -> Any:
    raise Broken


async def broken_later(*_: Any, **__: Any) -> Any:
    await asyncio.sleep(0)
    raise Broken


BEFORE_THE_ANSWER = [
    (um_server, "classify", broken),
    (um_server, "make_envelope", broken),
    (Spool, "begin", broken),
    (IncomingCall, "ring", broken_later),
    (IncomingCall, "answer", broken_later),
    (PhoneAuthentication, "authenticate", broken),
    (decision, "decide", broken),
    (ProxiedCall, "divert", broken_later),
    (ProxiedCall, "call_um", broken_later),
]
AFTER_THE_ANSWER = [
    (CallAnswering, "run", broken_later),
    (CallAnswering, "recording_file", broken_later),
    (CallAnswering, "perform", broken_later),
    (Prompts, "speak", broken),
    (MenuRunner, "receive", broken),
    (MenuCall, "_do", broken_later),
    (Delivery, "keep", broken_later),
]


@pytest.mark.parametrize(("owner", "attribute", "instead"), BEFORE_THE_ANSWER)
async def test_a_handler_that_raises_before_the_answer_gives_the_caller_500(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str, instead: Any
) -> None:
    async with servers.phones() as (_, bob):
        await bob.register()
        with monkeypatch.context() as patched:
            patched.setattr(owner, attribute, instead)
            async with asyncio.timeout(10):
                with pytest.raises(CallFailed, match="500"):
                    await bob.dial("4101").answered()
        call = await bob.call("4101")  # and the next call is served
        await call.hang_up()


@pytest.mark.parametrize(("owner", "attribute", "instead"), AFTER_THE_ANSWER)
async def test_a_handler_that_raises_after_the_answer_hangs_up(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str, instead: Any
) -> None:
    async with servers.phones() as (_, bob):
        await bob.register()
        with monkeypatch.context() as patched:
            patched.setattr(owner, attribute, instead)
            call = await bob.call("4101")
            with contextlib.suppress(PhoneError):  # some end before the tone
                await call.send_dtmf("#")
                await call.wait_for_tone()
                await call.send_dtmf("#")  # the end of the message
            assert await asyncio.wait_for(call.leg.ended, 10) == "remote"
        async with asyncio.timeout(10):
            await servers.um.calls.idle()
        call = await bob.call("4101")
        await call.hang_up()


@pytest.mark.parametrize(
    ("owner", "attribute"), [(Location, "bind"), (PhoneAuthentication, "authenticate"), (MwiRelay, "subscribed")]
)
async def test_a_handler_of_another_request_that_raises_gives_500(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str
) -> None:
    async with servers.phones() as (alice, _):
        with monkeypatch.context() as patched:
            patched.setattr(owner, attribute, broken)
            with pytest.raises(PhoneError, match="500"):
                await (alice.subscribe_mwi() if attribute == "subscribed" else alice.register())
        await alice.register()


@pytest.mark.parametrize(("attribute", "instead"), [("_ringing", broken), ("result", broken_later)])
async def test_a_call_between_phones_whose_handler_raises_gives_500_and_both_phones_are_free(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, attribute: str, instead: Any
) -> None:
    async with servers.phones() as (alice, bob):
        await alice.register()
        await bob.register()
        with monkeypatch.context() as patched:
            patched.setattr(fork.Fork, attribute, instead)
            with pytest.raises(CallFailed, match="500"):
                await bob.dial("4101").answered()
        alice.when = When.ANSWER
        call = await bob.call("4101")
        await call.hang_up()


def invite(uri: str, caller: str, called: str, *headers: tuple[str, str], cseq: int = 1) -> Request:
    made = Request(method="INVITE", uri=uri, headers=Headers())
    for header in (
        ("Via", f"SIP/2.0/TLS {POOL}:5061;branch=z9hG4bKone{cseq};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{caller}>;tag=1"),
        ("To", f"<sip:{called}>"),
        ("Call-ID", "one-segment"),
        ("CSeq", f"{cseq} INVITE"),
        ("Contact", f"<sip:{POOL};transport=tls>"),
        *headers,
    ):
        made.headers.add(*header)
    return made


async def test_invite_and_cancel_in_one_segment_give_200_and_487_at_the_um_server(servers: Servers) -> None:
    peer = await RawPeer.connect(servers, UM)
    plan = next(each for each in servers.um.config.dial_plans.values() if each.uri_type == "SipName")
    diversion = ("Diversion", f"<sip:{CALLED}>;reason=no-answer")
    request = invite(f"sip:{plan.name}@{UM};transport=tls", CALLER, CALLED, diversion)
    peer.write(request.to_bytes(), cancel_for(request).to_bytes())
    assert await peer.finals(2) == {(200, "CANCEL"), (487, "INVITE")}
    await servers.um.calls.idle()
    await peer.close()


async def test_an_invite_that_comes_by_two_ways_is_one_call(servers: Servers) -> None:
    peer = await RawPeer.connect(servers, UM)
    plan = next(each for each in servers.um.config.dial_plans.values() if each.uri_type == "SipName")
    diversion = ("Diversion", f"<sip:{CALLED}>;reason=no-answer")
    request = invite(f"sip:{plan.name}@{UM};transport=tls", CALLER, CALLED, diversion)
    request.headers.set("Call-ID", "two-ways")
    one, other, later = (request.copy() for _ in range(3))
    for number, each in enumerate((one, other, later)):
        each.headers.set("Via", f"SIP/2.0/TLS {POOL}:5061;branch=z9hG4bKway{number};rport")
    peer.write(one.to_bytes(), other.to_bytes(), cancel_for(one).to_bytes())
    assert await peer.finals(3) == {(482, "INVITE"), (200, "CANCEL"), (487, "INVITE")}
    await servers.um.calls.idle()
    peer.write(later.to_bytes(), cancel_for(later).to_bytes())
    assert await peer.finals(2) == {(200, "CANCEL"), (487, "INVITE")}, "that call is over"
    await servers.um.calls.idle()
    await peer.close()


async def test_invite_and_cancel_in_one_segment_give_200_and_487_at_the_voice_server(servers: Servers) -> None:
    peer = await RawPeer.connect(servers, POOL)
    first = invite(f"sip:{CALLED}", CALLER, CALLED)
    peer.write(first.to_bytes())
    status, _, head = await peer.response()
    assert status == 407
    challenge = next(line for line in head.splitlines() if line.startswith("Proxy-Authenticate:"))
    user = servers.voice.config.users[CALLER]
    authorization = digest.answer(
        [challenge.partition(": ")[2]],
        username=CALLER,
        secret=servers.voice.following.index.sip_secret(user),
        method="INVITE",
        uri=first.uri,
        cnonce="c",
    )
    assert authorization
    request = invite(first.uri, CALLER, CALLED, ("Proxy-Authorization", authorization), cseq=2)
    peer.write(request.to_bytes(), cancel_for(request).to_bytes())
    assert await peer.finals(2) == {(200, "CANCEL"), (487, "INVITE")}
    await peer.close()


def fails_once(work: Work) -> Work:
    failed = False

    async def run() -> None:
        nonlocal failed
        if not failed:
            failed = True
            raise Broken("once")
        await work()

    return run


async def test_background_work_that_raises_is_named_by_readyz_restarted_and_counted_by_metrics(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Supervisor):
        def supervise(self, name: str, work: Work) -> None:
            super().supervise(name, fails_once(work))

    monkeypatch.setattr(service, "Supervisor", functools.partial(Failing, first_delay_s=5.0))
    expected = {
        "um": [
            *("certificate", "delivery", "directory", "enrolment", "mailboxes", "mwi.look", "mwi.refresh"),
            *(f"mwi.tell.{number}" for number in range(AT_ONCE)),
            *("mwi.tell_again", "mwi.watch", "notices"),
        ],
        "voice": ["certificate", "directory", "mwi"],
    }
    async with (
        serving(deployed) as servers,
        operated(servers.um, tmp_path) as um,
        operated(servers.voice, tmp_path) as voice,
    ):
        both = ((servers.um, um), (servers.voice, voice))
        named = {server.room: [f"{server.room}.{each}" for each in expected[server.room]] for server, _ in both}
        pages = [
            (server.room, *await page(operation, "/readyz")) for server, operation in both
        ]  # before any is restarted
        for room, status, body in pages:
            told = json.loads(body)["checks"]["tasks"]
            assert (status, re.findall(r"(\S+) is down", told)) == (503, named[room])
        for server, operation in both:
            async with asyncio.timeout(20):
                while (await page(operation, "/readyz"))[0] != 200:
                    await asyncio.sleep(0.1)
            metrics = (await page(operation, "/metrics"))[1]
            for each in named[server.room]:
                assert restarts(metrics, each) >= 1


def restarts(metrics: str, task: str) -> float:
    found = re.search(rf'(?m)^tandem_task_restarts_total{{task="{task}"}} (\S+)$', metrics)
    return float(found[1]) if found else 0


async def test_a_server_whose_port_is_taken_stops_what_it_had_started(servers: Servers) -> None:
    before = asyncio.all_tasks()
    listen = Listen(ports={"tls": servers.ports[POOL]})
    with pytest.raises(CannotServe, match=r"cannot bind 127.0.0.1:\d+ \(tls\): Address already in use"):
        await start_voice(Home(folder=servers.folder), POOL, listen)
    assert asyncio.all_tasks() == before


async def test_a_second_process_of_a_um_server_is_refused_and_cuts_no_recording_of_the_first(servers: Servers) -> None:
    before = asyncio.all_tasks()
    listen = Listen(ports={"tls": 0, "tcp": 0, "udp": 0}, media_workers=1)
    with pytest.raises(SpoolTaken, match="this UM server runs already"):
        await start_um(Home(folder=servers.folder), UM, listen)
    assert asyncio.all_tasks() == before
