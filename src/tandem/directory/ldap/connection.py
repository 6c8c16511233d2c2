"""Connections to the domain controllers of one forest: TLS, binds, fail-over, time-outs, paging.

A controller that fails is left alone for a while (1 s, doubled up to 15 s) and another one is asked. A read that a lost
connection interrupts is made once more; a write is not, since nobody knows whether it was carried out: the caller observes
again. One request is under way on a connection at a time; threads get connections of their own from the pool. What nobody
asked for some minutes is not used again: the other side may have dropped it, and a write would be lost on it.
"""

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import ldap
import ldap.controls
import ldap.sasl
from ldap.controls import RequestControl, SimplePagedResultsControl

from tandem.core.log import event, get_logger
from tandem.core.tasks import back_off_s
from tandem.directory.address import CONNECT_S, Address
from tandem.directory.dn import DN
from tandem.directory.errors import BadAddress, DirectoryNotProved, DirectoryUnavailable, InvalidCredentials
from tandem.directory.layout import forest_of
from tandem.directory.ldap.kerberos import Ticket

_log = get_logger("directory")
T = TypeVar("T")
_SEALED = 128
"""The least key strength, in bits, of what GSSAPI seals."""
Raw = tuple[str, dict[str, list[bytes]]]
"""An entry as it comes: its name and the values of its attributes."""

ANSWER_S = 60.0
PAGE = 500
"""Entries in an answer; Active Directory gives no more than 1000."""
_LONGEST_BACK_OFF_S = 15.0
_REFUSED_S = 60.0
_AGAIN_S = 0.5
_POOL = 4
_LDAPS_PORT = 636
_IDLE_S = 300.0
"""Active Directory drops a connection after 900 s without a request (MaxConnIdleTime), and firewalls often do sooner."""
_LOST = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE, ldap.BUSY, ldap.TIMEOUT, ldap.TIMELIMIT_EXCEEDED)


@dataclass(slots=True)
class _Health:
    failures: int = 0
    retry_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Simple:
    """An account (``name@forest``, or a distinguished name) and its password."""

    account: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.password:  # it would be an anonymous bind, which succeeds
            raise InvalidCredentials(f"{self.account}: an empty password is none")


@dataclass(slots=True)
class _Bound:
    """A connection, and the controller that it leads to."""

    connection: Any
    controller: str
    used_at: float = 0.0


class ControllerPool:
    """Connections of one identity to one forest: by a simple bind over TLS, or by a Kerberos ticket.

    While no controller answers, they are asked again and again for ``patience_s`` seconds.
    """

    def __init__(self, address: Address, credentials: "Simple | Ticket", patience_s: float) -> None:
        self.address = address
        self._patience_s = patience_s
        self.generation = 0
        """Rises whenever another controller answers than before, under whatever name: its change numbers are others."""
        self.host = ""
        self._controller = ""
        self._credentials = credentials
        self._idle: list[_Bound] = []
        """Connections by when they were last used, the latest last."""
        self._hosts: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(_POOL)
        self._health: dict[str, _Health] = {}
        self._lost = False
        self._refused_until = 0.0

    @property
    def _name(self) -> str:
        held = self._credentials
        return held.principal if isinstance(held, Ticket) else held.account

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for bound in idle:
            _unbind(bound.connection)

    def read(self, ask: Callable[[Any], T]) -> T:
        """What a request answers that changes nothing; it is made once more if its connection is lost."""
        try:
            with self._leased() as connection:
                return ask(connection)
        except _LOST as error:
            self._failed(error)
        try:
            with self._leased() as connection:
                return ask(connection)
        except _LOST as error:
            self._failed(error)
            raise DirectoryUnavailable(
                f"{self.address.forest}: {self.host} does not answer: {text_of(error)}"
            ) from None

    def write(self, ask: Callable[[Any], T]) -> T:
        """What a request answers that changes something. Raises :class:`DirectoryUnavailable` if it may not have arrived."""
        try:
            with self._leased() as connection:
                return ask(connection)
        except _LOST as error:
            self._failed(error)
            raise DirectoryUnavailable(
                f"{self.address.forest}: {self.host} was lost while it was being written: {text_of(error)}; "
                "what was under way may or may not be done, try again"
            ) from None

    @contextmanager
    def _leased(self) -> Iterator[Any]:
        with self._room:
            bound = self._idle_one() or self._connect()
            try:
                yield bound.connection
            except _LOST:
                _unbind(bound.connection)
                raise
            except BaseException:
                self._give_back(bound)
                raise
            self._give_back(bound)

    def _idle_one(self) -> "_Bound | None":
        with self._lock:
            bound = self._idle.pop() if self._idle else None
        if bound is not None and time.monotonic() - bound.used_at > _IDLE_S:
            _unbind(bound.connection)
            self.close()  # those below it were used even earlier
            return None
        return bound

    def _give_back(self, bound: "_Bound") -> None:
        bound.used_at = time.monotonic()
        with self._lock:
            kept = bound.controller == self._controller
            if kept:
                self._idle.append(bound)
        if not kept:  # behind the same name another controller answers by now: its numbers and this one's do not mix
            _unbind(bound.connection)

    def _failed(self, error: ldap.LDAPError) -> None:
        self.close()
        self._note_failure(self.host, error)

    def _note_failure(self, host: str, error: Exception) -> None:
        health = self._health.setdefault(host, _Health())
        health.failures += 1
        health.retry_at = time.monotonic() + back_off_s(health.failures, first_s=1.0, longest_s=_LONGEST_BACK_OFF_S)
        if not self._lost:
            self._lost = True
            event(_log, logging.WARNING, "directory.lost", forest=self.address.forest, host=host, error=text_of(error))

    def _connect(self) -> "_Bound":
        """A bound connection to the first controller that answers, the last good one first."""
        if self._refused_until > time.monotonic():  # asking on would lock the account
            raise InvalidCredentials(f"{self._name} was refused by {self.address.forest} a moment ago")
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return self._connect_to_any()
            except DirectoryNotProved:
                raise
            except DirectoryUnavailable:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_AGAIN_S)

    def _connect_to_any(self) -> "_Bound":
        problems, impostors = [], []
        for host in sorted(self._known_hosts(), key=lambda host: host != self.host):
            if self._health.get(host, _Health()).retry_at > time.monotonic():
                problems.append(f"{host}: failed a moment ago")
                continue
            try:
                bound = self._bound(host)
            except (ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH):
                self._refused_until = time.monotonic() + _REFUSED_S
                raise InvalidCredentials(
                    f"{self._name}: {self.address.forest} ({host}) refuses this account or password, or it is locked"
                ) from None
            except (ldap.LDAPError, OSError) as error:
                self._note_failure(host, error)
                if isinstance(error, ssl.SSLCertVerificationError):
                    impostors.append(host)
                problems.append(f"{host}: {text_of(error)}")
                continue
            self._answered(bound, host)
            return bound
        if problems and len(impostors) == len(problems):
            raise DirectoryNotProved(
                f"no domain controller of {self.address.forest} proves who it is: {'; '.join(problems)}; their certificates "
                "are to bear the names in the address, and an authority in directory_roots is to vouch for them"
            )
        raise DirectoryUnavailable(f"no domain controller of {self.address.forest} answers: {'; '.join(problems)}")

    def _known_hosts(self) -> tuple[str, ...]:
        """The controllers; where DNS, that names them, is away: those that it named before."""
        try:
            self._hosts = self.address.hosts()
        except DirectoryUnavailable as error:
            if not self._hosts:
                self._note_failure("of DNS", error)
                raise
        return self._hosts

    def _answered(self, bound: "_Bound", host: str) -> None:
        self._health.pop(host, None)
        if self._lost:
            self._lost = False
            event(_log, logging.WARNING, "directory.back", forest=self.address.forest, host=host)
        self.host = host
        if bound.controller != self._controller:
            self._controller = bound.controller
            self.generation += 1
            self.close()  # what is idle is the other one's

    def _bound(self, host: str) -> "_Bound":
        connection = self._open(host)
        try:
            return _Bound(connection, controller_of(connection) or host)
        except ldap.LDAPError:
            _unbind(connection)
            raise

    def _open(self, host: str) -> Any:
        if isinstance(self._credentials, Ticket):
            return self._open_by_ticket(self._credentials, host)
        connection = _initialized(host, self.address)
        try:
            if self.address.starttls:
                connection.start_tls_s()
            connection.simple_bind_s(self._credentials.account, self._credentials.password)
        except ldap.LDAPError:
            _unbind(connection)
            raise
        return connection

    def _open_by_ticket(self, ticket: Ticket, host: str) -> Any:
        """GSSAPI proves the controller's name and seals what follows; Active Directory wants no TLS around it."""
        connection = ldap.initialize(f"ldap://{urlsplit(host).hostname}")
        _set_options(connection)
        connection.set_option(ldap.OPT_X_SASL_NOCANON, ldap.OPT_ON)
        connection.set_option(ldap.OPT_X_SASL_SSF_MIN, _SEALED)
        try:
            with ticket.in_force():
                connection.sasl_interactive_bind_s("", ldap.sasl.gssapi())
        except ldap.LDAPError:
            _unbind(connection)
            raise
        return connection


def controller_of(connection: Any) -> str:
    """The controller behind a connection, as it names itself, and the invocationId that its change numbers belong to.

    A host name does not tell it: it may be an alias, or the name of several controllers; and a controller that was restored
    counts from an earlier number, under a new invocationId. Empty where the directory is no Active Directory.
    """
    found = connection.search_ext_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["dsServiceName"])
    name = next((each.decode() for each in found[0][1].get("dsServiceName", ())), "") if found else ""
    if not name:
        return ""
    try:
        settings = connection.search_ext_s(name, ldap.SCOPE_BASE, "(objectClass=*)", ["invocationId"])
    except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
        return name
    invocation = settings[0][1].get("invocationId", [b""])[0] if settings else b""
    return f"{name} {invocation.hex()}"


def root_domain(address: Address) -> str:
    """The root domain that a controller is of. Raises :class:`DirectoryUnavailable`."""
    problems = []
    for host in address.hosts():
        try:
            connection = _initialized(host, address)
        except OSError as error:
            problems.append(f"{host}: {text_of(error)}")
            continue
        try:
            if address.starttls:
                connection.start_tls_s()
            found = connection.search_ext_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["rootDomainNamingContext"])
            for name in found[0][1].get("rootDomainNamingContext", ()) if found else ():
                return forest_of(DN.parse(name.decode()))
            problems.append(f"{host}: is no Active Directory")
        except ldap.LDAPError as error:
            problems.append(f"{host}: {text_of(error)}")
        finally:
            _unbind(connection)
    raise DirectoryUnavailable(f"{address.url} does not say of which forest it is: {'; '.join(problems)}")


def _initialized(host: str, address: Address) -> Any:
    """A connection that is not made yet, with what it has to prove of the other side. Raises :class:`OSError`."""
    trust = _trust(address)
    if not address.starttls:
        _shake_hands(host, trust)
    connection = ldap.initialize(host)
    _set_options(connection)
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
    if address.roots is not None:
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(address.roots))
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)  # takes the options into force
    return connection


def _trust(address: Address) -> ssl.SSLContext:
    """What proves a controller's name. Raises :class:`BadAddress` where the authorities cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if address.roots is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(address.roots)
    except OSError as error:
        raise BadAddress(
            f"{address.roots} (directory_roots) cannot be read: {text_of(error)}; expected certificates of authorities in PEM"
        ) from None
    return context


def _shake_hands(host: str, trust: ssl.SSLContext) -> None:
    """See whether a controller answers in TLS, and is the right one; libldap proves it once more, for its own connection.

    libldap over GnuTLS waits for the other side's part of the handshake for ever, whatever time-outs are set, and does not
    tell what is wrong with a certificate. Raises :class:`OSError`.
    """
    at = urlsplit(host)
    name = at.hostname or ""
    with (
        socket.create_connection((name, at.port or _LDAPS_PORT), CONNECT_S) as plain,
        trust.wrap_socket(plain, server_hostname=name),
    ):
        pass


def _set_options(connection: Any) -> None:
    connection.protocol_version = ldap.VERSION3
    connection.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, CONNECT_S)
    connection.set_option(ldap.OPT_TIMEOUT, ANSWER_S)


def search(
    connection: Any,
    base: str,
    scope: int,
    filter_: str,
    attributes: Sequence[str],
    controls: Sequence[RequestControl] = (),
) -> list[Raw]:
    """Every entry that matches, page by page; continuations to other servers are left out."""
    found: list[Raw] = []
    page = SimplePagedResultsControl(True, size=PAGE, cookie="")
    while True:
        message = connection.search_ext(
            base, scope, filter_, list(attributes), serverctrls=[page, *controls], timeout=ANSWER_S
        )
        _, entries, _, answers = connection.result3(message, timeout=ANSWER_S)
        found += [(name, values) for name, values in entries if name is not None]
        cookies = [each.cookie for each in answers if isinstance(each, SimplePagedResultsControl)]
        if not cookies or not cookies[0]:
            return found
        page.cookie = cookies[0]


def _unbind(connection: Any) -> None:
    with contextlib.suppress(ldap.LDAPError):  # it may be lost already
        connection.unbind_ext_s()


def text_of(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    text = details.get("desc", "")
    parts = (text, " ".join(str(details.get("info", "")).split()).removeprefix(f"{text}: "))
    return ": ".join(part for part in parts if part) or str(error) or type(error).__name__
