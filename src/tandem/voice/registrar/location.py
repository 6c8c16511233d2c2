"""Where users can be reached now: the contacts that their phones registered, each with the connection it came on."""

import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from tandem.sip.aio.flow import Flow
from tandem.sip.headers.uri import URI, parse_uri
from tandem.voice import counts

MAX_BINDINGS = 10
"""Phones of one user; the one that registered longest ago gives way."""
_SWEPT = 3
"""Users looked at with each registration, so that all are in time, and no registration takes longer for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A registered contact (its URI as text); ``expires_at`` on the monotonic clock.

    ``instance`` and ``reg_id`` are those of RFC 5626, empty and 0 for phones that do not tell them; ``path`` is the way that
    requests take to the phone (RFC 3327), first proxy first. ``address`` is user, host and port of the contact: by these it is
    found when somebody calls it. Raises :class:`MalformedMessage` for a contact that cannot be read.
    """

    contact: str
    flow: Flow
    expires_at: float
    instance: str = ""
    reg_id: int = 0
    path: tuple[str, ...] = ()
    address: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", _address(parse_uri(self.contact)))

    @property
    def uri(self) -> str:
        """The contact as the Request-URI of a ``sip:`` request: a phone that registered by ``sips:`` is reached by TLS."""
        return f"sip:{self.contact[5:]}" if self.contact[:5].lower() == "sips:" else self.contact

    @property
    def key(self) -> tuple[str, int]:
        """What a later registration takes the place of: the same flow of the same phone, or the same contact."""
        return (self.instance, self.reg_id) if self.instance and self.reg_id else (self.contact, 0)


class Location:
    """Bindings by SIP address."""

    def __init__(self) -> None:
        self._bindings: OrderedDict[str, dict[tuple[str, int], Binding]] = OrderedDict()
        self._by_address: dict[str, dict[tuple[str, tuple[str, int]], Binding]] = {}
        self._watched: dict[tuple[str, tuple[str, int]], tuple[Flow, Callable[[], None]]] = {}
        counts.held.source = lambda: len(self._watched)

    def bind(self, user: str, binding: Binding, now: float) -> None:
        """Keep a contact, in place of the same one before; ``now`` is in seconds of the clock of :attr:`Binding.expires_at`."""
        self._sweep(now)
        held = self._bindings.setdefault(user, {})
        if (before := held.pop(binding.key, None)) is not None:
            self._unlist(user, before)
        held[binding.key] = binding
        self._by_address.setdefault(binding.address, {})[user, binding.key] = binding
        while len(held) > MAX_BINDINGS:
            self._forget(user, next(iter(held)))
        self._watch(user, binding)

    def unbind(self, user: str, contact: str = "") -> None:
        """Forget one contact, or all."""
        held = self._bindings.get(user, {})
        for key in [key for key, binding in held.items() if not contact or binding.contact == contact]:
            self._forget(user, key)

    def of(self, user: str, now: float) -> list[Binding]:
        """The contacts that are valid now and whose connection is open; of one phone only its newest (RFC 5626 §5.3)."""
        valid = [b for b in self._bindings.get(user, {}).values() if b.expires_at > now and not b.flow.closed]
        return list({binding.instance or binding.contact: binding for binding in valid}.values())

    def at(self, uri: URI, now: float) -> list[tuple[str, Binding]]:
        """Who registered this as a contact, and the binding; parameters do not count."""
        found = self._by_address.get(_address(uri), {})
        return [(user, b) for (user, _), b in found.items() if b.expires_at > now and not b.flow.closed]

    def phone_at(self, uri: URI, now: float) -> tuple[str, Binding] | None:
        """The one phone that this leads to: of several that say so the one that really comes from there, port or not.

        Otherwise nobody could transfer a call to a phone whose contact somebody else registers, too.
        """
        found = self.at(uri, now)
        from_host = [each for each in found if _is_from(each[1].flow, uri.host)]
        from_port = [each for each in from_host if each[1].flow.remote[1] == uri.port]
        return next((each[0] for each in (found, from_host, from_port) if len(each) == 1), None)

    def _sweep(self, now: float) -> None:
        """Forget what has expired, of the few users who were looked at longest ago."""
        for user in list(itertools.islice(self._bindings, _SWEPT)):
            self._bindings.move_to_end(user)
            for key in [key for key, binding in self._bindings[user].items() if binding.expires_at <= now]:
                self._forget(user, key)

    def _unlist(self, user: str, binding: Binding) -> None:
        listed = self._by_address.get(binding.address, {})
        listed.pop((user, binding.key), None)
        if not listed:
            self._by_address.pop(binding.address, None)

    def _watch(self, user: str, binding: Binding) -> None:
        """Forget a binding when its connection is gone; one that is renewed on its connection is watched once."""
        at = user, binding.key
        flow, _ = self._watched.get(at, (None, None))
        if flow is not binding.flow:
            self._unwatch(at)

            def lost() -> None:
                self._forget(user, binding.key)

            self._watched[at] = binding.flow, lost
            binding.flow.on_close.append(lost)

    def _unwatch(self, at: tuple[str, tuple[str, int]]) -> None:
        if (watched := self._watched.pop(at, None)) is not None:
            flow, lost = watched
            flow.on_close.discard(lost)

    def _forget(self, user: str, key: tuple[str, int]) -> None:
        self._unwatch((user, key))
        held = self._bindings.get(user, {})
        if (binding := held.pop(key, None)) is not None:
            self._unlist(user, binding)
        if not held:
            self._bindings.pop(user, None)


def _is_from(flow: Flow, host: str) -> bool:
    try:
        return ip_address(flow.remote[0]) == ip_address(host.strip("[]"))
    except ValueError:
        return False


def _address(uri: URI) -> str:
    return f"{uri.user or ''}@{uri.host}:{uri.port or ''}".lower()
