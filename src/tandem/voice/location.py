"""Where users can be reached now: the contacts that their phones registered, each with the connection it came on."""

from dataclasses import dataclass

from tandem.sip.aio.endpoint import Flow
from tandem.voice import counts

MAX_BINDINGS = 10
"""Phones of one user; the one that registered longest ago gives way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A registered contact (its URI as text); ``expires_at`` on the monotonic clock."""

    contact: str
    flow: Flow
    expires_at: float


class Location:
    """Bindings by SIP address."""

    def __init__(self) -> None:
        self._bindings: dict[str, dict[str, Binding]] = {}
        counts.held.source = lambda: sum(len(held) for held in list(self._bindings.values()))

    def bind(self, user: str, binding: Binding) -> None:
        """Keep a contact, in place of the same one before."""
        held = self._bindings.setdefault(user, {})
        held.pop(binding.contact, None)
        held[binding.contact] = binding
        while len(held) > MAX_BINDINGS:
            del held[next(iter(held))]
        binding.flow.on_close.append(lambda: self._lost(user, binding))

    def unbind(self, user: str, contact: str = "") -> None:
        """Forget one contact, or all."""
        if contact:
            self._bindings.get(user, {}).pop(contact, None)
        else:
            self._bindings.pop(user, None)

    def of(self, user: str, now: float) -> list[Binding]:
        """The contacts that are valid now and whose connection stands."""
        return [b for b in self._bindings.get(user, {}).values() if b.expires_at > now and not b.flow.closed]

    def _lost(self, user: str, binding: Binding) -> None:
        if self._bindings.get(user, {}).get(binding.contact) is binding:
            self.unbind(user, binding.contact)
