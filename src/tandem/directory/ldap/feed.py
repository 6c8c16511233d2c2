"""Following Active Directory by polling (MS-ADTS 3.1.1.5.1.2, uSNChanged).

A change number is a domain controller's own: when another one answers, or the same one after it was restored (it has a new
invocationId then, MS-ADTS 3.1.1.1.9), everything is read again. Who is no administrator does not see deleted entries, and an
entry that is shown to us from now on has not changed: so of parts with few entries all are read again when one of them has
changed, at least every ten seconds in which anything did; of the others the identifiers are compared, as often as that takes a
thirtieth of the time, between every ten seconds and every five minutes. An entry whose OU is renamed or moved has another name
without having changed: what is below such an OU is read again. Every hour the session binds again and reads everything, since
Active Directory notes the groups of an identity when it binds.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import ldap
from ldap.controls import RequestControl

from tandem.core.log import event, get_logger
from tandem.directory import schema
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryError
from tandem.directory.ldap.connection import Raw, search
from tandem.directory.ldap.forest import LdapForest
from tandem.directory.ldap.values import ATTRIBUTES
from tandem.directory.port import Changes, Entry, Part

_log = get_logger("directory")
FEW_S, MANY_S, ALL_S = 10.0, 300.0, 3600.0
_SHOW_DELETED = RequestControl("1.2.840.113556.1.4.417", True)
_SPARING = 30.0
"""Times that a comparison took which pass before the next one."""
_GROUND = frozenset({"container", "msexchorganizationcontainer", "msrtcsip-service", "msrtcsip-pools"})
"""Classes of what holds entries: where one of these changes, its rights may have."""
_PLACES = frozenset({"container", "organizationalunit"})
"""Classes of what people are below: where one of these is renamed, their names are others."""


class FollowedSession(Protocol):
    """What a feed needs of a session."""

    def forest_at(self, dn: DN) -> LdapForest | None:
        """The forest of a name, if its directory is known."""

    def is_home(self, dn: DN) -> bool:
        """Whether a name is in the identity's own forest."""

    def raw(self, forest: LdapForest, base: str, scope: int, filter_: str, attributes: Sequence[str]) -> list[Raw]:
        """Entries as they come; none where the base is not there, or not visible."""

    def entries(self, forest: LdapForest, found: Sequence[Raw]) -> Iterator[Entry]:
        """Entries of which more is visible than that they are there."""

    def bind_again(self) -> None:
        """Take the groups into account that the identity came into since it bound."""


class LdapFeed:
    """See :class:`tandem.directory.port.Feed`."""

    def __init__(
        self, session: FollowedSession, parts: Sequence[Part], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._now = now
        self._parts = [_Followed(part) for part in parts]
        self._bound_at = now()

    def poll(self) -> Changes | None:
        """See the port."""
        now = self._now()
        if now - self._bound_at > ALL_S:
            self._bound_at = now
            self._session.bind_again()
            for part in self._parts:
                part.reached = _UNREAD
        found = [(part, *each) for part in self._parts if (each := self._followed(part, now)) is not None]
        # Only now, since the failure of any part fails the whole: what was not handed over is asked for again.
        for part, _, reached in found:
            part.reached = reached
        told = [changes for _, changes, _ in found if changes is not None]
        if not told:
            return None
        return Changes(
            entries=tuple(entry for each in told for entry in each.entries),
            gone=frozenset(uid for each in told for uid in each.gone),
            present={base: uids for each in told for base, uids in each.present.items()},
        )

    def _followed(self, followed: "_Followed", now: float) -> "_Step | None":
        """A part of another forest may be away: what is known of it stays, and the rest goes on."""
        try:
            step = self._poll(followed.part, followed.reached, now)
        except DirectoryError as error:
            if self._session.is_home(followed.part.base):
                raise
            if not followed.away:
                event(_log, logging.WARNING, "directory.forest_unread", base=followed.part.base, error=error)
            followed.away = True
            return None
        followed.away = False
        return step

    def _poll(self, part: Part, at: "_Reached", now: float) -> "_Step | None":
        forest = self._session.forest_at(part.base)
        if forest is None:
            return None
        # Before the number: if another controller answers meanwhile, the next poll sees it.
        generation = forest.pool.generation
        committed = forest.committed()
        numbered = replace(at, usn=committed, generation=generation)
        # A number that went back: the controller was put back to an earlier state.
        if not at.usn or at.generation != generation or committed < at.usn:
            return self._whole(forest, part, numbered, now)
        if committed == at.usn and not (at.stale and at.due(part, now)):
            return None
        return self._more(forest, part, at, numbered, now)

    def _whole(self, forest: LdapForest, part: Part, at: "_Reached", now: float) -> "_Step":
        entries = self._entries(forest, part, str(part.base))
        places = {} if part.few else self._places(forest, part)
        changes = Changes(entries=entries, present={part.base.path: frozenset(e.uid for e in entries)})
        return changes, replace(at, compared_at=now, took_s=self._now() - now, stale=False, places=places)

    def _more(self, forest: LdapForest, part: Part, before: "_Reached", at: "_Reached", now: float) -> "_Step":
        due = before.due(part, now)
        raw = self._raw(forest, str(part.base), _filter(part, since=before.usn + 1), ATTRIBUTES)
        gone = self._deleted(forest, part, before.usn + 1)
        at = replace(at, stale=not due)  # what was deleted may not have been shown
        if part.few:
            return self._whole(forest, part, at, now) if raw or gone or due else (None, at)
        changed = tuple(self._session.entries(forest, [each for each in raw if not _is_place(each)]))
        if places := [each for each in raw if _is_place(each)]:
            moved = [name for name, values in places if at.moved(uid_of(values), name)]
            changed += tuple(entry for name in moved for entry in self._entries(forest, part, name))
            at = replace(at, places={**at.places, **_paths(places)})
        present: dict[str, frozenset[str]] = {}
        if due:
            begun = self._now()
            present[part.base.path] = self._present(forest, part)
            at = replace(at, compared_at=now, took_s=self._now() - begun)
        return Changes(entries=changed, gone=gone, present=present) if changed or gone or present else None, at

    def _entries(self, forest: LdapForest, part: Part, base: str) -> tuple[Entry, ...]:
        return tuple(self._session.entries(forest, self._raw(forest, base, _filter(part), ATTRIBUTES)))

    def _present(self, forest: LdapForest, part: Part) -> frozenset[str]:
        found = self._raw(forest, str(part.base), _filter(part), ("objectGUID", "objectClass"))
        return frozenset(uid_of(values) for _, values in found)

    def _places(self, forest: LdapForest, part: Part) -> Mapping[str, str]:
        return _paths(self._raw(forest, str(part.base), _kinds(_PLACES), ("objectGUID", "objectClass")))

    def _raw(self, forest: LdapForest, base: str, filter_: str, attributes: Sequence[str]) -> list[Raw]:
        return self._session.raw(forest, base, ldap.SCOPE_SUBTREE, filter_, attributes)

    def _deleted(self, forest: LdapForest, part: Part, since: int) -> frozenset[str]:
        """Those of its deleted entries that this identity may see."""

        def ask(connection: object) -> list[Raw]:
            base = f"CN=Deleted Objects,{forest.context_of(part.base)}"
            text = f"(&(isDeleted=TRUE)(uSNChanged>={since}))"
            return search(connection, base, ldap.SCOPE_ONELEVEL, text, ("objectGUID",), (_SHOW_DELETED,))

        try:
            return frozenset(uid_of(values) for _, values in forest.pool.read(ask))
        except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
            return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """How far a part has been followed: the change number, of which controller, and when it was compared as a whole.

    ``took_s`` is how long that took. ``stale``: something has changed that may concern it, and it was not compared since.
    ``places`` are the paths of what people are below, by identifier.
    """

    usn: int = 0
    generation: int = 0
    compared_at: float = 0.0
    took_s: float = 0.0
    stale: bool = False
    places: Mapping[str, str] = field(default_factory=dict)

    def due(self, part: Part, now: float) -> bool:
        """Whether it may be compared as a whole again."""
        pause_s = FEW_S if part.few else min(max(FEW_S, _SPARING * self.took_s), MANY_S)
        return now - self.compared_at > pause_s

    def moved(self, uid: str, name: str) -> bool:
        """Whether a place was known by another name."""
        return self.places.get(uid, path := DN.parse(name).path) != path


_UNREAD = _Reached()
_Step = tuple[Changes | None, _Reached]
"""What is new in a part, and how far it is followed once that was handed over."""


@dataclass(slots=True)
class _Followed:
    part: Part
    reached: _Reached = _UNREAD
    away: bool = False


def _filter(part: Part, since: int = 0) -> str:
    """The entries of a part, or those of them that changed; then also what holds them."""
    grounds = _GROUND if part.few else _PLACES
    kinds = _kinds(part.classes | grounds if since else part.classes)
    return f"(&{kinds}(!(objectClass=computer)){f'(uSNChanged>={since})' if since else ''})"


def _kinds(classes: Iterable[str]) -> str:
    return f"(|{''.join(f'(objectClass={schema.WIRE_CLASSES[each]})' for each in sorted(classes))})"


def _is_place(raw: Raw) -> bool:
    return any(each.decode().lower() in _PLACES for each in raw[1].get("objectClass", ()))


def _paths(places: Iterable[Raw]) -> dict[str, str]:
    return {uid_of(values): DN.parse(name).path for name, values in places}


def uid_of(values: dict[str, list[bytes]]) -> str:
    """What an entry is known by for its life."""
    return values.get("objectGUID", values.get("entryUUID", [b""]))[0].hex()
