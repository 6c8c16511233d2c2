"""Digest authentication of phones: the same challenge and the same work for accounts that exist and that do not."""

import contextlib
import logging
import math
import secrets
from collections.abc import Iterator, Sequence

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.directory.index import Index
from tandem.org.vocabulary import DigestAlgorithm
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.digest import Challenger, Verdict, parse_credentials
from tandem.sip.headers.lenient import readable_addresses
from tandem.sip.headers.uri import URI
from tandem.sip.machines.limits import network_of
from tandem.sip.message.message import Request
from tandem.voice import counts
from tandem.voice.config import VoiceConfig, sip_of
from tandem.voice.registrar.lockout import LOCKED_S, Lockout

_log = get_logger("voice")
_SHOWN = 80
"""Characters of a text off the wire that are logged or answered."""
_SERVED = ("REGISTER", "SUBSCRIBE")
"""Requests that end at this server, so that it challenges as a user agent server does (RFC 3261 §22.2), not as a proxy."""


class PhoneAuthentication:
    """Challenges and checks. The realm is the forest, so that a secret serves every server of a pool."""

    def __init__(self, index: Index, clock: Clock, realm: str) -> None:
        self._index = index
        self._clock = clock
        self._realm = realm
        self._lockout = Lockout()
        counts.locks.source = lambda: self._lockout.locks(clock.now())
        self._key = secrets.token_bytes(32)
        self._decoy = secrets.token_hex(16)
        self._nobody = o.User(account="nobody", container="CN=Users,DC=invalid", display_name="")
        self._challenger: Challenger | None = None
        self._allowed: tuple[str, ...] = ()

    def authenticate(self, transaction: ServerTransaction, config: VoiceConfig) -> o.User | None:
        """The user whose secret the phone knows; otherwise the request has been answered, and ``None``."""
        now = self._clock.now()
        challenger = self._challenger_for(config)
        header = "Authorization" if transaction.request.method in _SERVED else "Proxy-Authorization"
        value = transaction.request.headers.get(header)
        if value is None:
            self._challenge(transaction, challenger, now)
            return None
        try:
            credentials = parse_credentials(value)
        except MalformedMessage as error:
            transaction.respond_stateless(400, headers=(fields.warning(str(error)),))
            return None
        if not credentials.is_for(transaction.request.uri):
            why = f"the digest is for {credentials.uri[:_SHOWN]!r}, not for the Request-URI"
            transaction.respond_stateless(400, headers=(fields.warning(why),))
            return None
        source = network_of(transaction.flow.remote[0])
        domains = (*_domains(transaction.request), self._realm)
        user = _user_named(config, credentials.username, domains)
        account = sip_of(user) if user else _full_name(credentials.username, self._realm)
        secret = self._index.sip_secret(user or self._nobody) or self._decoy
        epoch = hash((secret, user.sip_unlocks if user else 0))
        if locked_s := self._lockout.locked_s(account, source, now, epoch):
            self._refuse_locked(transaction, locked_s)
            return None
        method = transaction.request.method
        verdict = challenger.verify(credentials, secret=secret, method=method, now=now, source=source)
        if verdict is Verdict.ACCEPTED and user is not None:
            transaction.prove()
            if self._lockout.succeeded(account, source):
                event(_log, logging.INFO, "voice.unlocked", account=account, source=source)
            return user
        if verdict is Verdict.STALE:
            self._challenge(transaction, challenger, now, stale=True)
            return None
        event(_log, logging.WARNING, "voice.wrong_secret", account=account[:_SHOWN], source=transaction.flow.remote[0])
        for what in self._lockout.failed(account, source, now, epoch):
            counts.lockouts.of(what).value += 1
            # Once, when it begins: what is refused until its end is only counted.
            event(
                _log,
                logging.WARNING,
                "voice.locked",
                what=what,
                account=account[:_SHOWN],
                source=source,
                seconds=LOCKED_S,
            )
        self._challenge(transaction, challenger, now)
        return None

    @staticmethod
    def _refuse_locked(transaction: ServerTransaction, locked_s: float) -> None:
        counts.locked_refusals.value += 1
        seconds = math.ceil(locked_s)
        why = f"too many wrong secrets from this address; no answer is taken for {seconds} s"
        transaction.respond_stateless(403, headers=(("Retry-After", str(seconds)), fields.warning(why)))

    def _challenger_for(self, config: VoiceConfig) -> Challenger:
        algorithms = config.pool.digest if config.pool else (DigestAlgorithm.SHA256,)
        if self._challenger is None or self._allowed != algorithms:
            self._allowed = algorithms
            self._challenger = Challenger(self._realm, algorithms, self._key)
        return self._challenger

    @staticmethod
    def _challenge(transaction: ServerTransaction, challenger: Challenger, now: float, *, stale: bool = False) -> None:
        served = transaction.request.method in _SERVED
        status, name = (401, "WWW-Authenticate") if served else (407, "Proxy-Authenticate")
        agent = transaction.request.headers.get("User-Agent") or ""
        source = network_of(transaction.flow.remote[0])
        values = challenger.challenges(now, source=source, stale=stale, agent=agent)
        headers = tuple((name, value) for value in values)
        transaction.respond_stateless(status, headers=headers)


def _domains(request: Request) -> Iterator[str]:
    """The SIP domains that the phone may speak for: that of From, and of what it prefers to be called (RFC 3325 §9.2)."""
    with contextlib.suppress(MalformedMessage):
        yield fields.from_(request).uri.host
    for preferred in readable_addresses(request.headers.all("P-Preferred-Identity")):
        yield preferred.uri.host


def _full_name(username: str, realm: str) -> str:
    """A name that is nobody's, in the one spelling that it is counted by, whatever domain the request speaks of."""
    name = username.lower()
    return name if "@" in name else f"{name}@{realm}"


def _user_named(config: VoiceConfig, username: str, domains: Sequence[str]) -> o.User | None:
    """A user by SIP address, or by its user part in one of the domains."""
    name = username.lower()
    addresses = (name, *(f"{name}@{domain.lower()}" for domain in domains))
    return next((config.users[address] for address in addresses if address in config.users), None)


def is_own(user: o.User, uri_user: str | None, uri_host: str) -> bool:
    """Whether an address is the user's own: a phone speaks for its account only."""
    return f"{uri_user or ''}@{uri_host}".lower() == sip_of(user)


def is_anonymous(uri: URI) -> bool:
    """Whether an address names nobody (RFC 3323 §4.1.1.3)."""
    return uri.host.lower() == "anonymous.invalid"
