"""Server processes: calls that stand through an end, new certificates under a call."""

import asyncio
import contextlib
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from tandem.admin.trial.demo import (
    CALLED,
    POOL,
    UM,
    free_plain_ports,
    free_ports,
    messages,
    phones,
    roots,
    server_process,
)
from tandem.call.errors import CallFailed
from tandem.cli.keeping.pki import pki
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, peer_names
from tandem.probe.phone import Phone, When
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.message.message import Headers, Request
from tandem.speech.samples.recorded import bob_message

pytestmark = pytest.mark.slow


@dataclass
class Scene:
    """Both servers as processes, two registered phones."""

    folder: Path
    ports: dict[str, int]
    um: "subprocess.Popen[str]"
    voice: "subprocess.Popen[str]"
    alice: Phone
    bob: Phone

    def kinds(self) -> list[str]:
        found = messages(self.folder / "state" / "mail" / CALLED)
        return [m["Content-Class"] for m, _ in found if m["Content-Class"]]


@contextlib.asynccontextmanager
async def scene(folder: Path, *more: str) -> AsyncIterator[Scene]:
    ports = dict(zip((UM, POOL), free_ports(2), strict=True))
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in ports.items()]
    um = ["serve", "um", UM, f"--home={folder}", f"--tls-port={ports[UM]}", *names, *free_plain_ports(), *more]
    voice = ["serve", "voice", POOL, f"--home={folder}", f"--tls-port={ports[POOL]}", *names, *more]
    with server_process(folder, UM, um) as first, server_process(folder, POOL, voice) as second:
        async with phones(folder, ports) as (alice, bob):
            await alice.register()
            await bob.register()
            yield Scene(folder, ports, first, second, alice, bob)


async def asked(at: Scene, server: str, method: str) -> int:
    """What a server answers to a request outside of a call, from a peer with the pool's certificate."""
    store = CertificateStore(folder=at.folder / "state" / "pki" / POOL)
    peer = Endpoint(
        clock=SystemClock(),
        ids=SystemIds(),
        resolver=Resolver({server: ("127.0.0.1", at.ports[server])}),
        client_context=client_context(store),
        peer_names=peer_names,
    )
    headers = Headers([("Max-Forwards", "70"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "c")])
    headers.add("CSeq", f"1 {method}")
    request = Request(method=method, uri=f"sip:{server}", headers=headers)
    response = await (await peer.send(request, Hop(transport="tls", host=server, port=5061))).final()
    await peer.close()
    return response.status


async def ended(process: "subprocess.Popen[str]", seconds: float = 10.0) -> int:
    return await asyncio.to_thread(process.wait, seconds)


async def test_a_um_server_that_ends_takes_no_more_calls_and_lets_those_that_stand_end(deployed: Path) -> None:
    async with scene(deployed) as at:
        call = await at.bob.call("4101")
        await call.wait_for_tone()
        assert [await asked(at, UM, method) for method in ("OPTIONS", "MESSAGE", "DANCE")] == [200, 405, 501]
        at.um.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        assert await asked(at, UM, "OPTIONS") == 503
        with pytest.raises(CallFailed):
            await at.bob.call("4101")
        await call.speak(bob_message())
        await call.send_dtmf("#")
        assert await asyncio.wait_for(call.leg.ended, 15) == "remote"
        assert await ended(at.um) == 0
        assert at.kinds() == ["voice-ca"]


async def test_a_second_signal_ends_a_server_at_once_and_keeps_what_it_heard(deployed: Path) -> None:
    async with scene(deployed) as at:
        call = await at.bob.call("4101")
        await call.wait_for_tone()
        await call.speak(bob_message())
        for _ in range(2):
            at.um.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
        assert await ended(at.um) == 0
        log = (deployed / f"{UM}.log").read_text()
        assert "Traceback" not in log
        waiting = list((deployed / "state" / "spool" / UM).glob("*.json"))
        assert at.kinds() + ["voice-ca" for _ in waiting] == ["voice-ca"], (
            "it was kept, in the mailbox or for the next start"
        )


async def test_a_server_that_ends_waits_no_longer_than_it_is_told_to(deployed: Path) -> None:
    async with scene(deployed, "--drain-s=1") as at:
        await (await at.bob.call("4101")).wait_for_tone()
        at.um.send_signal(signal.SIGTERM)
        assert await ended(at.um, 8) == 0


async def test_a_voice_server_that_ends_lets_a_call_between_phones_end(deployed: Path) -> None:
    async with scene(deployed) as at:
        at.alice.when = When.ANSWER
        call = await at.bob.call("4101")
        answered = await at.alice.incoming.get()
        assert await asked(at, POOL, "OPTIONS") == 200
        at.voice.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        assert await asked(at, POOL, "OPTIONS") == 503
        assert at.voice.poll() is None
        with pytest.raises(CallFailed) as refused:
            await at.bob.call("4101")
        assert refused.value.status == 503
        await at.bob.register()  # phones stay registered meanwhile
        await answered.hang_up()
        assert await asyncio.wait_for(call.leg.ended, 5) == "remote"
        assert await ended(at.voice) == 0


def shown_by(port: int, name: str, trusted: Path) -> bytes:
    """The certificate that a server shows to a new connection."""
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection(("127.0.0.1", port), 5) as made,
        context.wrap_socket(made, server_hostname=name) as tls,
    ):
        found = tls.getpeercert(binary_form=True)
        assert found is not None
        return found


@pytest.mark.parametrize("how", ["SIGHUP", "by itself"])
async def test_a_new_certificate_is_shown_to_who_comes_next_while_a_call_stands(deployed: Path, how: str) -> None:
    async with scene(deployed) as at:
        at.alice.when = When.ANSWER
        call = await at.bob.call("4101")
        answered = await at.alice.incoming.get()
        before = await asyncio.to_thread(shown_by, at.ports[POOL], POOL, roots(deployed))
        renewed = CliRunner().invoke(pki, ["renew", POOL, UM, "--home", str(deployed)])
        assert renewed.exit_code == 0, renewed.output
        if how == "SIGHUP":
            for process in (at.voice, at.um):
                process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while await asyncio.to_thread(shown_by, at.ports[POOL], POOL, roots(deployed)) == before:
                await asyncio.sleep(0.1)
        await call.send_dtmf("7")
        async with asyncio.timeout(5):
            while answered.digits != ["7"]:
                await asyncio.sleep(0.05)
        at.alice.when = When.BUSY
        other = await at.bob.call("4101")  # to UM, over connections that stand or are new
        await other.wait_for_tone()
        await other.hang_up()
        await answered.hang_up()
        assert await asyncio.wait_for(call.leg.ended, 5) == "remote"


async def test_a_certificate_that_cannot_be_used_costs_nothing(deployed: Path) -> None:
    async with scene(deployed) as at:
        (deployed / "state" / "pki" / POOL / "key.pem").write_text("nothing")
        at.voice.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.5)
        assert "certificate_not_taken" in (deployed / f"{POOL}.log").read_text()
        await at.bob.register()
        assert await asyncio.to_thread(shown_by, at.ports[POOL], POOL, roots(deployed))
