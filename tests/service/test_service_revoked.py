"""Peers whose certificates are revoked while they are connected, on asyncio's own loop and on uvloop."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop
from cryptography import x509

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.pki.authority import Authority
from tandem.pki.identity import Identity
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, peer_names
from tandem.service import certificates
from tandem.service.threads import ThreadPool
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow, Hop
from tandem.sip.aio.resolve import Resolver

UM, POOL, OTHER = "um1.example.com", "pool1.example.com", "pool2.example.com"


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_peer_that_is_revoked_is_disconnected_and_the_others_are_not(
    tmp_path: Path, run: Callable[[Awaitable[None]], None]
) -> None:
    at = datetime.now(UTC)
    authority = Authority.open_or_create(tmp_path / "authority", organization="Example", at=at)
    stores = {name: CertificateStore(folder=tmp_path / name) for name in (UM, POOL, OTHER)}
    for name, store in stores.items():
        store.install(*authority.issue(name, (), at=at), authority.root_pem, authority.revocation_list((), at=at))
    serial = x509.load_pem_x509_certificate(stores[POOL].certificate.read_bytes()).serial_number

    async def scene() -> None:
        identity, disk = Identity(stores[UM], require_client=True), ThreadPool("disk", 1)
        um = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver(), peer_names=peer_names)
        _, port = await um.listen_tls("127.0.0.1", 0, identity.server)
        hop = Hop(transport="tls", host=UM, port=port)
        clients = [
            Endpoint(
                clock=SystemClock(),
                ids=SystemIds(),
                resolver=Resolver({UM: ("127.0.0.1", port)}),
                client_context=client_context(stores[name]),
                peer_names=peer_names,
            )
            for name in (POOL, OTHER)
        ]
        flows: list[Flow] = [await client.flow_to(hop) for client in clients]
        async with asyncio.timeout(5):
            while len(um.connections.flows) < 2:
                await asyncio.sleep(0.001)
            await certificates.end_revoked(identity, disk, um.connections)
            assert {next(iter(flow.peer_names)) for flow in um.connections.flows} == {POOL, OTHER}
            stores[UM].revoked.write_bytes(authority.revocation_list((serial,), at=at))
            identity.reload()
            await certificates.end_revoked(identity, disk, um.connections)
            while not flows[0].closed:
                await asyncio.sleep(0.001)
        assert not flows[1].closed
        assert [flow.peer_names for flow in um.connections.flows if not flow.closed] == [frozenset({OTHER})]
        for each in (*clients, um):
            await each.close()
        disk.close()

    run(scene())
