"""Both servers as processes, synthetic phones: what a user of the pool meets."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import deployment
from tandem.admin.trial.demo import (
    CALLED,
    CALLER,
    POOL,
    UM,
    attachment,
    free_plain_ports,
    free_ports,
    messages,
    phones,
    roots,
    running,
    samples,
    server_process,
    sip_secret,
    voice_message,
)
from tandem.call.errors import CallFailed
from tandem.directory import objects as o
from tandem.media.codec.wav import read_wav
from tandem.pki.tls import phone_tls_context
from tandem.probe.compare import find_speech
from tandem.probe.errors import PhoneError
from tandem.probe.phone import Account, Phone, When
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.message.message import Headers, Request
from tandem.sip.sdp.offer import Encryption
from tandem.speech.samples.recorded import bob_message

pytestmark = pytest.mark.slow


@contextlib.asynccontextmanager
async def registered(folder: Path, servers: dict[str, int]) -> AsyncIterator[tuple[Phone, Phone]]:
    async with phones(folder, servers) as (alice, bob):
        await alice.register()
        await bob.register()
        yield alice, bob


def box(folder: Path, user: str = CALLED) -> Path:
    return folder / "state" / "mail" / user


async def eventually(condition: "object", seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.05)


def kinds(folder: Path) -> list[str]:
    return [m["Content-Class"] for m, _ in messages(box(folder)) if m["Content-Class"]]


async def test_an_answered_call_never_reaches_um(deployed: Path) -> None:
    async with running(deployed) as servers, registered(deployed, servers) as (alice, bob):
        alice.when = When.ANSWER
        call = await bob.call("4101")
        answered = await alice.incoming.get()
        await call.send_dtmf("42")
        await eventually(lambda: answered.digits == ["4", "2"])
        await answered.hang_up()
        assert await call.leg.ended == "remote"
        assert answered.leg.invite is not None
        identities = answered.leg.invite.headers.all("P-Asserted-Identity")
        assert identities == ['"Bob Brown" <sip:bob@example.com>', "<tel:+14255554102>"]
    assert kinds(deployed) == []


async def test_a_phone_that_answers_as_the_no_answer_time_ends_has_the_call(deployed: Path) -> None:
    async with running(deployed) as servers, registered(deployed, servers) as (alice, bob):
        # Her phone rings, ignores the CANCEL, and answers when it comes: the moment at which both cross.
        async def called(transaction: ServerTransaction) -> None:
            cancelled = asyncio.Event()
            transaction.on_cancel = cancelled.set
            transaction.respond_with(180)
            await cancelled.wait()
            transaction.cancelled = False
            alice.when = When.ANSWER
            await alice._ring(transaction)

        alice._called = called  # type: ignore[method-assign]
        call = await bob.call("4101")
        answered = await asyncio.wait_for(alice.incoming.get(), 10)
        await answered.hang_up()
        assert await asyncio.wait_for(call.leg.ended, 5) == "remote"
    assert kinds(deployed) == []


async def test_busy_unregistered_and_forged_headers(deployed: Path) -> None:
    async with running(deployed) as servers, registered(deployed, servers) as (alice, bob):
        alice.when = When.BUSY
        forged = (("Diversion", "<sip:carla@example.com>"), ("P-Asserted-Identity", "<sip:carla@example.com>"))
        for number in (EXTENSION_OF_ALICE, CALLED):
            call = await bob.call(number, headers=forged)
            await call.wait_for_tone()
            await call.speak(bob_message())
            await call.send_dtmf("#")
            assert await asyncio.wait_for(call.leg.ended, 10) == "remote"
            await alice.register(expires_s=0)
        await eventually(lambda: kinds(deployed).count("voice-ca") == 2)
    assert messages(box(deployed, "carla@example.com"))[0][0]["Content-Class"] is None
    message, _ = voice_message(box(deployed))
    assert message["From"] == "Bob Brown <bob@example.com>"


EXTENSION_OF_ALICE = "4101"


async def test_who_hangs_up_before_the_tone_leaves_a_missed_call(deployed: Path) -> None:
    async with running(deployed) as servers, registered(deployed, servers) as (_, bob):
        call = await bob.call("4101")
        await asyncio.sleep(1.0)
        await call.hang_up()
        await eventually(lambda: kinds(deployed) == ["missedcall"])


async def test_silence_ends_the_recording_and_is_no_message(deployed: Path) -> None:
    deployment_context = deployment.context(deployed)
    plan = deployment_context.repository.get(o.UMDialPlan, "Main")
    assert plan is not None
    deployment_context.repository.update(plan, dataclasses.replace(plan, recording_idle_timeout_s=2))
    async with running(deployed) as servers, registered(deployed, servers) as (_, bob):
        call = await bob.call("4101")
        await call.wait_for_tone()
        assert await asyncio.wait_for(call.leg.ended, 15) == "remote"
        await eventually(lambda: kinds(deployed) == ["missedcall"])


async def test_mwi_ends_when_the_message_is_read(deployed: Path) -> None:
    async with running(deployed) as servers, registered(deployed, servers) as (alice, bob):
        await alice.subscribe_mwi()
        call = await bob.call("4101")
        await call.wait_for_tone()
        await call.speak(bob_message())
        await call.hang_up()
        await alice.wait_mwi(lambda lamp: lamp.new == 1)
        _, path = voice_message(box(deployed))
        path.rename(box(deployed) / "cur" / f"{path.name}:2,S")
        lamp = await alice.wait_mwi(lambda lamp: not lamp.waiting)
        assert (lamp.new, lamp.old) == (0, 1)


async def test_mwi_outlives_a_restart_of_the_voice_server(deployed: Path) -> None:
    (box(deployed) / "new").mkdir(parents=True)
    (box(deployed) / "new" / "voice-0").write_bytes(b"Content-Class: voice-ca\r\n\r\n")
    async with running(deployed) as servers, phones(deployed, servers) as (alice, _):
        await alice.register()
        await alice.subscribe_mwi()
        await alice.wait_mwi(lambda lamp: lamp.waiting)
    (port,) = free_ports(1)
    # No UM server runs now, so nobody but the voice server itself can know.
    with server_process(deployed, POOL, ["serve", "voice", POOL, f"--home={deployed}", f"--tls-port={port}"]):
        async with phones(deployed, {POOL: port}) as (alice, _):
            await alice.register()
            await alice.subscribe_mwi()
            assert (await alice.wait_mwi(lambda lamp: lamp.waiting)).new == 1


async def test_a_um_server_killed_while_it_records_delivers_what_it_had_heard(deployed: Path) -> None:
    ports = dict(zip((UM, POOL), free_ports(2), strict=True))
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in ports.items()]
    um = ["serve", "um", UM, f"--home={deployed}", f"--tls-port={ports[UM]}", *names, *free_plain_ports()]
    voice = ["serve", "voice", POOL, f"--home={deployed}", f"--tls-port={ports[POOL]}", *names]
    with server_process(deployed, POOL, voice):
        with server_process(deployed, UM, um) as process:
            async with registered(deployed, ports) as (_, bob):
                call = await bob.call("4101")
                await call.wait_for_tone()
                await call.speak(bob_message())  # 6.6 s
                process.send_signal(signal.SIGKILL)
                process.wait()
        assert "voice-ca" not in kinds(deployed)
        with server_process(deployed, UM, um):
            await eventually(lambda: kinds(deployed) == ["voice-ca"])
    message, _ = voice_message(box(deployed))
    assert len(attachment(message)) / 16_000 > 6.6 - 2.0
    assert "was cut" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_media_worker_killed_while_it_records_costs_its_call_and_delivers_what_it_heard(deployed: Path) -> None:
    ports = dict(zip((UM, POOL), free_ports(2), strict=True))
    names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in ports.items()]
    um = ["serve", "um", UM, f"--home={deployed}", f"--tls-port={ports[UM]}", *names, *free_plain_ports()]
    voice = ["serve", "voice", POOL, f"--home={deployed}", f"--tls-port={ports[POOL]}", *names]
    with server_process(deployed, POOL, voice), server_process(deployed, UM, [*um, "--media-workers=1"]) as process:
        async with registered(deployed, ports) as (_, bob):
            call = await bob.call("4101")
            await call.wait_for_tone()
            await call.speak(bob_message())
            (worker,) = children(process.pid)
            os.kill(worker, signal.SIGKILL)
            assert await asyncio.wait_for(call.leg.ended, 10) == "remote"
            await eventually(lambda: kinds(deployed) == ["voice-ca"])
            await eventually(lambda: children(process.pid) not in ([], [worker]))
            again = await bob.call("4101")
            await again.wait_for_tone()
            await again.hang_up()
    message, _ = voice_message(box(deployed))
    assert len(attachment(message)) / 16_000 > 6.6 - 2.0
    assert "was cut" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_a_call_too_many_is_turned_away_and_may_come_again(deployed: Path) -> None:
    tcp, udp = free_ports(2)
    async with (
        running(deployed, tcp_port=tcp, udp_port=udp, max_calls=1) as servers,
        registered(deployed, servers) as (_, bob),
    ):
        call = await bob.call("4101")
        with pytest.raises(CallFailed, match="UM did not take the call"):  # the voice server's word for a 503
            await bob.call("4101")
        assert "um.busy" in (deployed / f"{UM}.log").read_text()
        await call.hang_up()
        await eventually(lambda: kinds(deployed) == ["missedcall"])
        await (await bob.call("4101")).hang_up()


async def test_before_exchucutil_the_call_fails_for_the_true_reason(deployed_template: Path, tmp_path: Path) -> None:
    folder = deployment.copy(deployed_template, tmp_path / "x")
    session = deployment.context(folder).session
    database = session._db  # type: ignore[attr-defined] # as if phase 7 had granted nothing
    with database:
        database.execute(
            "DELETE FROM ace WHERE principal LIKE '%RTC%' AND entry IN (SELECT id FROM entry WHERE dn LIKE '%CN=Example,%')"
        )
        database.execute("UPDATE state SET number = number + 1 WHERE name <> 'version'")
    async with running(folder) as servers, registered(folder, servers) as (_, bob):
        with pytest.raises(CallFailed, match="15030") as failed:
            await bob.call("4101")
        assert failed.value.status == 480


async def test_a_phone_speaks_for_its_account_only(deployed: Path) -> None:
    async with running(deployed) as servers, registered(deployed, servers) as (_, bob):
        bob.account = dataclasses.replace(bob.account, address=CALLED)
        with pytest.raises(CallFailed) as failed:
            await bob.call("4102")
        assert failed.value.status == 403


async def test_a_wrong_secret_and_an_unknown_account_are_refused_alike_and_locked(deployed: Path) -> None:
    async with running(deployed) as servers:
        resolver = Resolver({name: ("127.0.0.1", port) for name, port in servers.items()})
        answers = []
        for address in (CALLED, "nobody@example.com"):
            account = Account(address=address, secret="wrong", pool=POOL, port=servers[POOL])
            phone = Phone(account, phone_tls_context(roots(deployed)), resolver=resolver)
            said = []
            for _ in range(12):
                with pytest.raises(PhoneError) as refused:
                    await phone.register()
                said.append(str(refused.value).replace(address, "X"))
            await phone.close()
            answers.append(said)
        assert answers[0] == answers[1]
        assert "401" in answers[0][0] and "403" in answers[0][-1]


async def test_plain_media_is_refused_where_the_pool_requires_encryption(deployed: Path) -> None:
    async with running(deployed) as servers, registered(deployed, servers) as (_, bob):
        bob._policy = dataclasses.replace(bob._policy, encryption=Encryption.REFUSE)
        with pytest.raises(CallFailed, match="requires SRTP") as failed:
            await bob.call("4101")
        assert failed.value.status == 488


async def test_um_takes_no_call_from_who_has_no_certificate_of_a_gateway(deployed: Path) -> None:
    async with running(deployed) as servers, phones(deployed, servers) as (_, bob):
        flow = await bob.endpoint.flow_to(Hop(transport="tls", host=UM, port=servers[UM]))
        headers = Headers(
            [
                ("From", "<sip:x@y>;tag=1"),
                ("To", "<sip:Main@y>"),
                ("Call-ID", "1"),
                ("CSeq", "1 INVITE"),
                ("Max-Forwards", "9"),
            ]
        )
        request = Request(method="INVITE", uri=f"sip:Main@{UM}", headers=headers)
        # TLS 1.3: the server refuses after our side of the handshake, so it is seen at the first message.
        response = await (await bob.endpoint.send(request, flow)).final()
        assert response.status == 503


async def test_a_phone_that_trusts_another_root_does_not_connect(deployed: Path) -> None:
    async with running(deployed) as servers:
        resolver = Resolver({POOL: ("127.0.0.1", servers[POOL])})
        account = Account(address=CALLER, secret="x", pool=POOL, port=servers[POOL])
        phone = Phone(account, ssl.create_default_context(), resolver=resolver)
        with pytest.raises(PhoneError, match="certificate verify failed"):
            await phone.register()
        await phone.close()


async def test_verify_live_proves_a_deployment_and_names_a_dead_server(deployed: Path) -> None:
    async with running(deployed) as servers:
        names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in servers.items()]
        good = await tandem("verify", str(deployed / "organization.yaml"), "--live", *names)
        assert good.returncode == 0, good.stdout
        for proof in (
            "um1.example.com answers pool1.example.com: TLS as um1.example.com",
            "pool1.example.com answers um1.example.com: TLS as pool1.example.com",
            "um1.example.com answers for Main: answered over SRTP",
            "it is in the mailbox, MWI shows 1 new",
        ):
            assert proof in good.stdout
        assert "Mails of these checks are gone: 2 deleted" in good.stdout
        assert {"voice-ca", "missedcall"}.isdisjoint(kinds(deployed))
    bad = await tandem("verify", str(deployed / "organization.yaml"), "--live", *names)
    assert bad.returncode == 1 and "is the UM server running" in bad.stdout


async def test_a_dial_plan_that_is_sip_secured_is_proved_over_rtp(deployed: Path, tmp_path: Path) -> None:
    deployment.change(
        deployed, ("voip_security: Secured ", "voip_security: SIPSecured "), ("RequireEncryption", "SupportEncryption")
    )
    deployment.deploy(deployed)
    (tmp_path / "secret").write_text(sip_secret(deployed, CALLER))
    async with running(deployed) as servers:
        names = [f"--resolve={name}=127.0.0.1:{port}" for name, port in servers.items()]
        good = await tandem("verify", str(deployed / "organization.yaml"), "--live", *names)
        assert good.returncode == 0, good.stdout
        assert "um1.example.com answers for Main: answered over RTP" in good.stdout
        assert "it is in the mailbox, MWI shows 1 new" in good.stdout
        phone = ("phone", "call", CALLER, "4101", f"--pool={POOL}", *names, f"--roots={roots(deployed)}")
        secret = f"--secret-file={tmp_path / 'secret'}"
        strict = await tandem(*phone, secret)
        assert strict.returncode == 1 and "offer RTP/AVP" in strict.stderr, strict.stderr
        assert "try --media-encryption optional" in strict.stderr
        assert "over RTP;" in (await tandem(*phone, secret, "--media-encryption=optional")).stdout
        assert "over RTP;" in (await tandem(*phone, secret, "--media-encryption=none")).stdout


async def test_the_phone_commands_register_listen_and_call(deployed: Path, tmp_path: Path) -> None:
    async with running(deployed) as servers:

        def line(address: str) -> list[str]:
            secret = tmp_path / f"{address}.secret"
            secret.write_text(sip_secret(deployed, address))
            where = [f"--pool={POOL}", f"--resolve={POOL}=127.0.0.1:{servers[POOL]}", f"--roots={roots(deployed)}"]
            return [address, *where, f"--secret-file={secret}", "--json"]

        shown = await tandem("phone", "register", *line(CALLED))
        assert json.loads(shown.stdout) == {"registered": CALLED, "waiting": False, "new": 0, "old": 0}
        heard = tmp_path / "heard.wav"
        listening = asyncio.create_task(tandem("phone", "listen", *line(CALLED), "--seconds=15", f"--record={heard}"))
        await asyncio.sleep(1.5)
        (tmp_path / "say.wav").write_bytes(bob_message())
        called = await tandem("phone", "call", *line(CALLER), "4101", f"--say={tmp_path / 'say.wav'}", "--dtmf=9#")
        answered = await listening
        assert called.returncode == answered.returncode == 0, called.stderr + answered.stderr
        assert json.loads(called.stdout)["secure"] is True
        assert json.loads(answered.stdout)["digits"] == "9#"
        spoken = samples(read_wav(bob_message()))
        assert find_speech(spoken, samples(read_wav(heard.read_bytes()))).correlation > 0.9
        nobody = await tandem("phone", "call", *line(CALLER), "4999")
        assert nobody.returncode == 1 and "4999 was not answered: 404" in nobody.stderr


async def tandem(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tandem", *arguments]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)


async def test_a_pin_that_could_not_be_made_is_made_when_it_can_be(deployed: Path) -> None:
    obstacle = deployed / "state" / "um" / "pin.lock"
    obstacle.mkdir(parents=True)  # fails before anything is written, so that nothing changes that would be followed
    log = deployed / f"{UM}.log"
    async with running(deployed):
        await eventually(lambda: "um.pin_not_made account=alice" in log.read_text())
        await asyncio.sleep(3)
        assert "um.pin_made" not in log.read_text()
        obstacle.rmdir()
        await eventually(lambda: "um.pin_made account=alice" in log.read_text(), seconds=40)
    assert len(messages(box(deployed))) == 1
