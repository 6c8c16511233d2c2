"""Puts the servers together: directory, certificates, sockets, names. No work at import.

A server reads the directory with its own account, and nothing of the organization file: its home folder holds ``state``
(directory, certificates, spool, mailboxes) and ``secrets`` (its password).
"""

import difflib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tandem.core.clock import Clock, SystemClock
from tandem.core.errors import TandemError
from tandem.core.ids import SystemIds
from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.directory.address import read_place
from tandem.directory.index import Index
from tandem.directory.opening import open_directory
from tandem.directory.port import Session
from tandem.directory.repository import Repository, discover
from tandem.mail.maildir.store import MaildirStore
from tandem.mail.port import MailStore
from tandem.media.engine.engine import CALLS_PER_CORE, MediaEngine, usable_cores
from tandem.media.engine.udp import EXPEDITED
from tandem.media.ports import ANY
from tandem.org.vocabulary import StartupMode, Transport
from tandem.pki.identity import Identity
from tandem.pki.store import CertificateStore
from tandem.pki.tls import peer_names
from tandem.service.service import Service
from tandem.service.threads import ThreadPool
from tandem.sip.aio.endpoint import Endpoint, Tap
from tandem.sip.aio.resolve import Resolver
from tandem.sip.machines.limits import Limits, SourceLimits
from tandem.um.server import UmPaths, UmServer
from tandem.voice.server import VoiceFiles, VoiceServer

_log = get_logger("service")
T = TypeVar("T")
_UM_LIMITS = Limits(messages_per_s=10.0, messages_burst=100.0)
"""Everybody whom UM serves is a gateway, by its certificate or its address, and has no limits."""
CS3 = 24
"""The code point that RFC 4594 §2.3 has for signalling that is no flow of its own; for routers that prefer AF31, use 26."""


_LISTENS = {
    StartupMode.TCP: (Transport.TCP, Transport.UDP),
    StartupMode.TLS: (Transport.TLS,),
    StartupMode.DUAL: (Transport.TLS, Transport.TCP, Transport.UDP),
}
"""The transports of a UM server."""


class CannotServe(TandemError):
    """A server that cannot start; the message says what is missing and which phase makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a server finds its things."""

    folder: Path

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    def certificates(self, name: str) -> CertificateStore:
        """The certificate of a server or pool."""
        return CertificateStore(folder=self.state / "pki" / name)

    def password(self, account: str) -> str:
        """The password of a server's account."""
        path = self.folder / "secrets" / account
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CannotServe(
                f"{path}: {error.strerror}; expected the password of {account} there. {self._held(account)}"
            ) from None

    def _held(self, account: str) -> str:
        """Whose home it is, for who has mistyped a name or is in another folder."""
        folder = self.folder / "secrets"
        names = sorted(path.name for path in folder.iterdir() if "." in path.name) if folder.is_dir() else []
        if not names:
            return f"{self.folder} is no home of a server: name another by --home; 'tandem install' makes one"
        near = difflib.get_close_matches(account.lower(), names, 1)
        hint = f" Is it {near[0]}?" if near else ""
        return f"{self.folder} is the home of {', '.join(names)}; another is named by --home.{hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen: one address; ``ports`` by transport replace those of the directory.

    ``dscp`` marks signalling, ``media_dscp`` RTP. ``media_workers`` processes serve media, one for each core if not said;
    ``max_calls`` are taken at once.
    """

    address: str = "127.0.0.1"
    ports: Mapping[str, int] = field(default_factory=dict)
    resolve: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    media_ports: range = range(1)
    media_workers: int | None = None
    max_calls: int | None = None
    dscp: int = CS3
    media_dscp: int = EXPEDITED


def connect(home: Home, account: str) -> Session:
    """A session with the directory, wherever it is."""
    place = read_place(home.state)
    return open_directory(place).bind(place.account(account), home.password(account))


def bind(home: Home, account: str) -> Repository:
    """The directory as an account may use it; where things are is read from the directory itself."""
    return discover(connect(home, account))[0]


def mail_store(state: Path, disk: ThreadPool) -> MailStore:
    """The mailboxes below a state folder; ``disk`` does what blocks."""
    return MaildirStore(state / "mail", disk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that serves, and where it listens, by transport."""

    server: Service[Any]
    bound: Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _UmFound:
    """What a UM server is made of: its object, and its certificate where it speaks TLS."""

    repository: Repository
    server: o.MessagingServer
    identity: Identity | None


def _find_um(home: Home, fqdn: str) -> _UmFound:
    """Ask the directory and read the certificate of a UM server. Takes as long as they do."""
    repository = bind(home, fqdn)
    try:
        server = repository.get(o.MessagingServer, fqdn)
        if server is None:
            if any(fqdn in (pool.fqdn, *pool.servers) for pool in repository.all(o.VoicePool)):
                raise CannotServe(f"{fqdn} is a voice server: tandem serve voice {fqdn}")
            raise CannotServe(f"{fqdn} is no messaging server of the directory; 'tandem apply' deploys it (phase 1)")
        speaks_tls = server.startup_mode is not StartupMode.TCP
        identity = Identity(home.certificates(fqdn), require_client=True) if speaks_tls else None
    except BaseException:
        repository.session.close()
        raise
    return _UmFound(repository=repository, server=server, identity=identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class _VoiceFound:
    """What a voice server is made of: its forest, its pool, and the pool's certificate."""

    forest: str
    pool: o.VoicePool
    identity: Identity


def _find_voice(home: Home, fqdn: str) -> _VoiceFound:
    """Ask the directory and read the certificate of a voice server. Takes as long as they do."""
    repository = bind(home, fqdn)
    try:
        pool = next((p for p in repository.all(o.VoicePool) if fqdn in p.servers), None)
        if pool is None and repository.get(o.MessagingServer, fqdn) is not None:
            raise CannotServe(f"{fqdn} is a UM server: tandem serve um {fqdn}")
    finally:
        repository.session.close()
    if pool is None:
        raise CannotServe(f"{fqdn} is in no voice pool of the directory; 'tandem apply' makes its pool (phase 0)")
    identity = Identity(home.certificates(pool.fqdn), require_client=False)
    return _VoiceFound(forest=repository.layout.forest, pool=pool, identity=identity)


def _warn_of_unknown(index: Index, resolve: Iterable[str]) -> None:
    """Tell of names given by ``--resolve`` that no server, pool or gateway of any forest has: mistyped, most likely."""
    known = {server.fqdn for server in index.all(o.MessagingServer)}
    known |= {name for pool in index.all(o.VoicePool) for name in (pool.fqdn, *pool.servers)}
    known |= {gateway.address for gateway in index.all(o.UMIPGateway)}
    known |= {gateway.fqdn for gateway in index.all(o.PstnGateway)}
    for name in sorted(set(resolve) - {name.lower() for name in known}):
        why = "no server, pool or gateway of the directory has this name; is it mistyped?"
        event(_log, logging.WARNING, "service.resolve_unknown", name=name, why=why)


async def _in_thread(find: Callable[[Home, str], T], home: Home, fqdn: str) -> T:
    """In a thread of its own: the server, which has the pools, is not made yet, and /healthz answers meanwhile."""
    thread = ThreadPool("start", 1)
    try:
        return await thread.run(find, home, fqdn)
    finally:
        thread.close()


async def start_um(home: Home, fqdn: str, listen: Listen, tap: Tap | None = None) -> Running:
    """Start a UM server. ``tap`` sees every message."""
    found = await _in_thread(_find_um, home, fqdn)
    server, identity = found.server, found.identity
    clock = SystemClock()
    # Plain gateways are exempt from rate limits: a trunk is one address with many calls.
    limits = SourceLimits(_UM_LIMITS, trusted=lambda source: source in um.config.plain_addresses)
    endpoint = _endpoint(fqdn, clock, listen, identity, limits, tap)
    tls, tcp = server.sip_tls_port, server.sip_tcp_port
    ports = {Transport.TLS: tls, Transport.TCP: tcp, Transport.UDP: tcp, **listen.ports}
    workers = listen.media_workers or usable_cores()
    um = UmServer(
        fqdn=fqdn,
        endpoint=endpoint,
        repository=found.repository,
        connect=lambda: connect(home, fqdn),
        clock=clock,
        paths=UmPaths(spool=home.state / "spool" / fqdn, pin_key=home.state / "um" / "pin.key"),
        mail=lambda disk: mail_store(home.state, disk),
        media=MediaEngine(workers=workers, dscp=listen.media_dscp),
        media_host=listen.address,
        media_ports=listen.media_ports,
        max_calls=most_calls(listen, workers),
        identity=identity,
        contact_port=lambda transport: ports[transport],
    )
    return await _serve(um, listen, ports, _LISTENS[server.startup_mode])


async def start_voice(home: Home, fqdn: str, listen: Listen, tap: Tap | None = None) -> Running:
    """Start a voice server. ``tap`` sees every message. TCP and UDP are listened on only where ``listen`` has their ports."""
    found = await _in_thread(_find_voice, home, fqdn)
    pool, identity = found.pool, found.identity
    clock = SystemClock()
    endpoint = _endpoint(pool.fqdn, clock, listen, identity, SourceLimits(Limits()), tap)
    ports = {Transport.TLS: pool.sip_tls_port, **listen.ports}
    voice = VoiceServer(
        fqdn=fqdn,
        endpoint=endpoint,
        connect=lambda: connect(home, fqdn),
        forest=found.forest,
        clock=clock,
        files=VoiceFiles.below(home.state / "voice", fqdn),
        identity=identity,
    )
    wanted = (Transport.TLS, *(each for each in (Transport.TCP, Transport.UDP) if each in listen.ports))
    return await _serve(voice, listen, ports, wanted)


def most_calls(listen: Listen, workers: int) -> int:
    """Calls to be taken at once: as many as are wanted, or what the workers carry, and no more than have a pair of ports."""
    wanted = listen.max_calls or workers * CALLS_PER_CORE
    if listen.media_ports == ANY:
        return wanted
    first, end = listen.media_ports.start, listen.media_ports.stop
    pairs = len(range(first + first % 2, end, 2))
    if listen.max_calls and pairs < wanted:
        raise CannotServe(
            f"--max-calls {wanted} needs {2 * wanted} ports, and {first}-{end - 1} has pairs for {pairs} calls"
        )
    return min(wanted, pairs)


def _endpoint(
    name: str, clock: Clock, listen: Listen, identity: Identity | None, limits: SourceLimits, tap: Tap | None
) -> Endpoint:
    endpoint = Endpoint(
        clock=clock,
        ids=SystemIds(),
        resolver=Resolver(listen.resolve),
        name=name,
        client_context=identity.client if identity else None,
        peer_names=peer_names,
        limits=limits,
        dscp=listen.dscp,
    )
    endpoint.tap = tap
    return endpoint


async def _serve(server: Service[Any], listen: Listen, ports: Mapping[str, int], wanted: tuple[str, ...]) -> Running:
    """Start a server and let it listen; one that cannot is stopped again."""
    try:
        await server.start()
        _warn_of_unknown(server.following.index, listen.resolve)
        return Running(server=server, bound=await _listen(server, listen.address, ports, wanted))
    except BaseException:
        await server.stop()
        raise


async def _listen(
    server: Service[Any], address: str, ports: Mapping[str, int], wanted: tuple[str, ...]
) -> dict[str, tuple[str, int]]:
    endpoint, identity = server.endpoint, server.identity
    bound: dict[str, tuple[str, int]] = {}
    for transport in wanted:
        try:
            match transport:
                case Transport.TLS:
                    assert identity is not None, "a server that listens for TLS has a certificate"
                    bound[transport] = await endpoint.listen_tls(address, ports[Transport.TLS], identity.server)
                case Transport.TCP:
                    bound[transport] = await endpoint.listen_tcp(address, ports[Transport.TCP])
                case _:
                    bound[transport] = await endpoint.listen_udp(address, ports[Transport.UDP])
        except OSError as error:
            raise CannotServe(
                f"cannot bind {address}:{ports[transport]} ({transport}): {error.strerror}. Is another server using it, "
                f"or is it below 1024? Choose another with --{transport}-port"
            ) from None
    return bound
