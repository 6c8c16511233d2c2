"""Kamailio, which nobody here wrote, as the proxy in front of two UM servers: mutual TLS, Record-Route, dispatcher.

A gateway (sipp) calls it by UDP; it calls UM by TLS with a certificate of Tandem's own authority, and UM knows it by the
name in that. What UM says later goes the way of the route set: a connection of UM's own to Kamailio, by mutual TLS again.
"""

import asyncio
import dataclasses
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import deployment
from peers.baresip import free_port
from peers.kamailio import NAME, Kamailio, kamailio
from peers.pcap import Caller
from peers.servers import Um, add_gateway, um_server
from peers.sipp import Gateway, bye, expect, invite, pause, play, receive, request, ringing
from tandem.admin.trial.demo import UM, attachment, samples, voice_message
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.media.codec import g711
from tandem.media.codec.wav import read_wav
from tandem.org.load import require_organization
from tandem.org.vocabulary import VoIPSecurity
from tandem.pki.authority import Authority
from tandem.pki.store import CertificateStore
from tandem.probe.compare import find_speech
from tandem.process.bootstrap import create_directory
from tandem.speech.samples.recorded import bob_message

pytestmark = [pytest.mark.peer, pytest.mark.slow]
ADDRESS, CALLER = "127.0.0.43", "127.0.0.44"
SECOND = "um2.example.com"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An organization with two UM servers; its gateway is Kamailio, whose media is plain (SIP secured)."""
    folder = tmp_path_factory.mktemp("kamailio") / "x"
    deployment.make_example(folder)
    more = f"    kind: tandem\n  - fqdn: {SECOND}\n    forest: example.com\n    kind: tandem\n\num_dial_plans"
    deployment.change(folder, ("    kind: tandem\n\num_dial_plans", more))
    create_directory(require_organization(folder / "organization.yaml"), SystemIds())
    deployment.deploy(folder)
    worker = deployment.context(folder)
    plan = next(plan for plan in worker.repository.all(o.UMDialPlan) if plan.name == "Lobby")
    worker.repository.update(plan, dataclasses.replace(plan, voip_security=VoIPSecurity.SIP_SECURED))
    worker.session.close()
    add_gateway(folder, "Edge", address=NAME, transport="tls", port=5061)
    return folder


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Kamailio:
    """Where Kamailio will listen: the UM servers have to know before it runs."""
    return Kamailio(tmp_path_factory.mktemp("edge"), ADDRESS)


@pytest.fixture(scope="module")
def servers(folder: Path, edge: Kamailio) -> Iterator[dict[str, Um]]:
    resolve = f"--resolve={NAME}={ADDRESS}:{edge.tls}"
    with ExitStack() as stack:
        yield {name: stack.enter_context(um_server(folder, resolve, fqdn=name)) for name in (UM, SECOND)}


def certificate(folder: Path, name: str, issuer: Path) -> CertificateStore:
    """A certificate for a name by an authority of Tandem's pki; the organization's servers are trusted."""
    at = datetime.now(UTC)
    ours, other = (
        Authority.open_or_create(each, organization="Example", at=at)
        for each in (folder / "state" / "pki" / "authority", issuer)
    )
    store = CertificateStore(folder=folder / "edge" / issuer.name / name)
    store.install(*other.issue(name, (name,), at=at), ours.root_pem)
    return store


@asynccontextmanager
async def front(
    folder: Path,
    edge: Kamailio,
    servers: dict[str, Um],
    *,
    name: str = NAME,
    authority: Path | None = None,
    patience_ms: int = 5000,
) -> AsyncIterator[Gateway]:
    """Kamailio in front of the servers, with a certificate for the name; gives a gateway that calls it."""
    store = certificate(folder, name, authority or folder / "state" / "pki" / "authority")
    ports = {fqdn: um.tls for fqdn, um in servers.items()}
    async with kamailio(edge, store=store, servers=ports, patience_ms=patience_ms):
        yield Gateway(folder=edge.folder, address=CALLER, transport="udp", server=ADDRESS, server_port=edge.udp)


def answered(servers: dict[str, Um]) -> list[int]:
    """How many calls each server has answered so far."""
    return [um.log().count("um.answered ") for um in servers.values()]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.05)


async def test_a_message_comes_through_it_and_um_hangs_up_by_the_route_set(
    folder: Path, edge: Kamailio, servers: dict[str, Um], tmp_path: Path
) -> None:
    spoken = read_wav(bob_message())[: 2 * 8000 * 3]
    said = Caller().press("#").wait(1000).speak(g711.encode(spoken, g711.PCMU)).press("#").write(tmp_path / "said.pcap")
    async with front(folder, edge, servers) as gateway:
        await gateway.play(
            invite(), ringing(), receive(200, f"Record-Route: .*{NAME}"), request("ACK", 1, via_route=True),
            play(said), expect("BYE", f"Via: SIP/2.0/UDP {ADDRESS}"),
        )  # fmt: skip
    message, _ = voice_message(folder / "state" / "mail" / "dave@example.com")
    assert find_speech(array("h", spoken), samples(attachment(message))).correlation > 0.9


@pytest.mark.alone  # the servers have even turns only if no INVITE is repeated
async def test_the_callers_goodbye_takes_the_route_set_to_the_server_that_answered(
    folder: Path, edge: Kamailio, servers: dict[str, Um]
) -> None:
    before = answered(servers)
    async with front(folder, edge, servers) as gateway:
        await gateway.play(
            invite(), ringing(), receive(200), request("ACK", 1, via_route=True), pause(500), bye(2, via_route=True),
            options=("-m", "10"),
        )  # fmt: skip
    assert [after - at for after, at in zip(answered(servers), before, strict=True)] == [5, 5]


async def test_calls_go_to_the_other_server_when_one_is_gone(
    folder: Path, edge: Kamailio, servers: dict[str, Um]
) -> None:
    gone = dataclasses.replace(servers[SECOND], tls=free_port())
    before = answered(servers)
    async with front(folder, edge, {**servers, SECOND: gone}) as gateway:
        await gateway.play(
            invite(), ringing(), receive(200), request("ACK", 1, via_route=True), bye(2, via_route=True),
            options=("-m", "4"),
        )  # fmt: skip
    assert [after - at for after, at in zip(answered(servers), before, strict=True)] == [4, 0]


async def test_a_proxy_with_another_name_in_its_certificate_is_refused(
    folder: Path, edge: Kamailio, servers: dict[str, Um]
) -> None:
    before = answered(servers)
    async with front(folder, edge, servers, name="other.example.com") as gateway:
        await gateway.play(invite(), receive(100, optional=True), receive(403), request("ACK", 1, branch="[branch-3]"))
    assert answered(servers) == before
    assert "no UM IP gateway is known as other.example.com over tls" in servers[UM].log() + servers[SECOND].log()


async def test_a_proxy_whose_certificate_is_of_another_authority_reaches_no_server(
    folder: Path, edge: Kamailio, servers: dict[str, Um], tmp_path: Path
) -> None:
    before = answered(servers)
    async with front(folder, edge, servers, authority=tmp_path / "foreign", patience_ms=1000) as gateway:
        await gateway.play(invite(), receive(100, optional=True), receive(408), request("ACK", 1, branch="[branch-3]"))
    assert answered(servers) == before


async def test_a_server_that_is_to_end_lets_its_call_go_on_while_new_ones_go_to_the_other(
    folder: Path, edge: Kamailio, tmp_path: Path
) -> None:
    resolve = f"--resolve={NAME}={ADDRESS}:{edge.tls}"
    home = deployment.copy(folder, tmp_path / "x")  # the other tests' servers hold the spools of their own
    with um_server(home, resolve) as first, um_server(home, resolve, fqdn=SECOND) as second:
        servers = {UM: first, SECOND: second}
        before = answered(servers)
        async with front(folder, edge, servers) as gateway:
            call = gateway.play(
                invite(), ringing(), receive(200), request("ACK", 1, via_route=True), pause(4000),
                request("OPTIONS", 2, via_route=True), receive(200), bye(3, via_route=True),
            )  # fmt: skip
            standing = asyncio.create_task(call)
            await until(lambda: answered(servers) != before)
            ending, other = (first, second) if answered(servers)[0] > before[0] else (second, first)
            ending.process.terminate()
            await until(lambda: "ops.draining" in ending.log())
            await gateway.play(
                invite(), ringing(), receive(200), request("ACK", 1, via_route=True), bye(2, via_route=True),
                options=("-m", "4"),
            )  # fmt: skip
            counts = dict(zip((first.fqdn, second.fqdn), answered(servers), strict=True))
            await standing
        assert counts[other.fqdn] - before[list(servers).index(other.fqdn)] == 4
        assert await asyncio.to_thread(ending.process.wait, 10) == 0
