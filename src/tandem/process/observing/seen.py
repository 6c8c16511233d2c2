"""What the observations that count say together of one side of one forest.

The newest observation of each shell counts. Of certificates, which the shells of Exchange 2007 and of Lync read only on the
server itself, the newest of each host counts too. Where two shells have seen the same object, the newer one's
properties are taken, and the older one's where the newer has none and its version may not know them. What a newer one of the
same or a later version has not seen, though it read the whole section, is gone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tandem.process.observing.format import SHELLS, name_property
from tandem.process.observing.model import Observation, ObservedObject

LOCAL = frozenset({"ExchangeCertificate", "CsCertificate"})
"""Sections of which a collector may see only its own server's part."""
_OWN = LOCAL | {"UMServer", "UMService", "UMCallRouterSettings", "UMMailbox", "Service"}
"""Sections of which a shell reads its own version's part."""
_SHELLS = {
    "UMServer": ("exchange-2007", "exchange-2010"),
    "UMService": ("exchange-2013", "exchange-2016"),
    "UMCallRouterSettings": ("exchange-2013", "exchange-2016"),
}
"""Sections that only some shells can read."""
_SAME = {
    "UMHuntGroup": ("UMIPGateway", "Name"),
    "ADPermission": ("Container", "User", "AccessRights", "Deny"),
    "Service": ("Server", "Name"),
    "Trust": ("Source", "Target"),
    "CsService": ("Role", "PoolFqdn"),
    "PstnGateway": ("PoolFqdn", "MediationServer"),
    "ExchangeCertificate": ("Server", "Thumbprint", "Subject"),
    "CsCertificate": ("Server", "Use", "Thumbprint", "Subject"),
    "CsPstnUsage": (),
}
"""The properties by which two objects are the same one, where it is not the name alone."""


def can_read(shell: str, section: str) -> bool:
    """Whether a shell has the cmdlet of a section."""
    return shell in _SHELLS.get(section, (shell,))


def text(found: ObservedObject, name: str) -> str:
    """A property as text; empty if it is absent."""
    value = found.get(name, "")
    return value if isinstance(value, str) else str(value)


def texts(found: ObservedObject, name: str) -> tuple[str, ...]:
    """A property that is an array of strings; empty if it is absent."""
    value = found.get(name, ())
    return tuple(str(each) for each in value) if isinstance(value, tuple) else (str(value),)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSection:
    """The objects of a section. ``unread`` says why there may be others that were not seen; empty: these are all."""

    name: str
    objects: tuple[ObservedObject, ...]
    unread: str = ""

    def by(self, name: str) -> dict[str, ObservedObject]:
        """The objects by a property, in lower case: names differ in no product by case."""
        return {text(each, name).lower(): each for each in self.objects}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The observations that count, newest first. There may be none."""

    observations: tuple[Observation, ...] = ()
    local: tuple[Observation, ...] = ()
    """The newest of each host, for :data:`LOCAL` sections."""
    _sections: dict[str, SeenSection] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, observations: Iterable[Observation]) -> "Seen":
        """From every observation of one side of one forest."""
        ordered = sorted(observations, key=lambda each: (each.ended, each.sha256), reverse=True)
        newest: dict[str, Observation] = {}
        hosts: dict[tuple[str, str], Observation] = {}
        for each in ordered:
            newest.setdefault(each.shell, each)
            hosts.setdefault((each.shell, each.host), each)
        return cls(observations=tuple(newest.values()), local=tuple(hosts.values()))

    def __bool__(self) -> bool:
        return bool(self.observations)

    @property
    def shells(self) -> frozenset[str]:
        """The shells that have seen something."""
        return frozenset(each.shell for each in self.observations)

    def section(self, name: str) -> SeenSection:
        """A section of all observations together; put together when it is first asked for."""
        if name not in self._sections:
            self._sections[name] = self._section(name)
        return self._sections[name]

    def _section(self, name: str) -> SeenSection:
        counting = self.local if name in LOCAL else self.observations
        counting = tuple(each for each in counting if can_read(each.shell, name))
        if not counting:
            return SeenSection(name=name, objects=(), unread="no observation of a shell that can read it")
        found: dict[tuple[str, ...], ObservedObject] = {}
        newest_that_saw: dict[tuple[str, ...], int] = {}
        for each in reversed(counting):
            version = SHELLS[each.side].index(each.shell)
            if name not in _OWN and name not in each.unread:
                for key in [key for key, other in newest_that_saw.items() if other <= version]:
                    del found[key], newest_that_saw[key]
            for item in each.objects.get(name, ()):
                key = _key(name, each.side, item)
                found[key] = {**found.get(key, {}), **item}
                newest_that_saw[key] = max(version, newest_that_saw.get(key, 0))
        unread = "; ".join(f"{each.host}: {each.unread[name]}" for each in counting if name in each.unread)
        return SeenSection(name=name, objects=tuple(found.values()), unread=unread)

    def hosted(self, server: str) -> bool:
        """Whether a collector ran on this server and could read what only the server itself can."""
        return any(each.host == server.lower() for each in self.local)


def _key(section: str, side: str, found: ObservedObject) -> tuple[str, ...]:
    names = _SAME.get(section, (name_property(section, side),))
    return tuple(",".join(texts(found, name)).lower() for name in names)


Everything = Mapping[tuple[str, str], Seen]
"""What is seen by side and forest."""


def by_side_and_forest(observations: Iterable[Observation]) -> dict[tuple[str, str], Seen]:
    """Every observation, sorted out."""
    groups: dict[tuple[str, str], list[Observation]] = {}
    for each in observations:
        groups.setdefault((each.side, each.forest), []).append(each)
    return {key: Seen.of(found) for key, found in groups.items()}
