"""A voice server and Exchange UM as a peer plays it, on real sockets: mutual TLS on three ports, two redirections, one call."""

import dataclasses
from pathlib import Path

import deployment
import dnsserver
from peers.exchange import exchange_server
from tandem.admin.trial.demo import CALLER, POOL, UM
from tandem.directory import objects as o
from tandem.org.vocabulary import ServerKind
from tandem.sip.aio.resolve import Resolver
from voice.pool import SECURE, Handset, handsets, serving


def becomes_exchange(folder: Path, port: int) -> None:
    """The UM server of the directory is Exchange's from now on."""
    worker = deployment.context(folder)
    before = worker.repository.get(o.MessagingServer, UM)
    assert before is not None
    exchange = dataclasses.replace(
        before, kind=ServerKind.EXCHANGE, version="Exchange 2013", roles=("ClientAccess", "Mailbox"), sip_tls_port=port
    )
    worker.repository.update(before, exchange)
    worker.session.close()


async def test_a_call_reaches_exchanges_worker_process_by_its_call_router_and_um_service(deployed: Path) -> None:
    zone = {(UM, "A"): ["127.0.0.1"]}
    async with dnsserver.serving(zone) as (dns, _), exchange_server(UM, deployed, SECURE) as exchange:
        becomes_exchange(deployed, exchange.router)
        async with serving(deployed, Resolver(dns_resolver=dns)) as pool:
            bob = Handset(pool, CALLER)
            async with handsets(pool, bob):
                assert (await bob.invite("4101")).status == 200
                assert (await bob.ask(bob.within("BYE"))).status == 200
        pilot = f"sip:Main@{UM}:{exchange.router};transport=tls"
        service, worker = exchange.at(exchange.service), exchange.at(exchange.worker)
        assert exchange.asked == [
            ("INVITE", pilot, exchange.router),
            ("INVITE", service, exchange.service),
            ("INVITE", worker, exchange.worker),
            ("ACK", worker, exchange.worker),
            ("BYE", worker, exchange.worker),
        ]
        assert POOL in exchange.peers
