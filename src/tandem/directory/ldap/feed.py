"""Following Active Directory by polling (MS-ADTS 3.1.1.5.1.2, uSNChanged).

A change number is a domain controller's own: when another one answers, or the same one after it was restored (it has a new
invocationId then, MS-ADTS 3.1.1.1.9), everything is read again. Who is no administrator does not see deleted entries, and an
entry that is shown to us from now on has not changed: so of parts with few entries all are read again when one of them has
changed, at least every ten seconds in which anything did; of the others the identifiers are compared every five minutes. Every
hour the session binds again and reads everything, since Active Directory notes the groups of an identity when it binds.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
_GROUND = frozenset({"container", "msexchorganizationcontainer", "msrtcsip-service", "msrtcsip-pools"})
"""Classes of what holds entries: where one of these changes, its rights may have."""


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
        entries = self._entries(forest, part, _filter(part))
        changes = Changes(entries=entries, present={part.base.path: frozenset(e.uid for e in entries)})
        return changes, replace(at, compared_at=now, stale=False)

    def _more(self, forest: LdapForest, part: Part, before: "_Reached", at: "_Reached", now: float) -> "_Step":
        due = before.due(part, now)
        changed = self._entries(forest, part, _filter(part, since=before.usn + 1))
        gone = self._deleted(forest, part, before.usn + 1)
        at = replace(at, stale=not due)  # what was deleted may not have been shown
        if part.few:
            return self._whole(forest, part, at, now) if changed or gone or due else (None, at)
        present: dict[str, frozenset[str]] = {}
        if due:
            present[part.base.path] = self._present(forest, part)
            at = replace(at, compared_at=now)
        return Changes(entries=changed, gone=gone, present=present) if changed or gone or present else None, at

    def _entries(self, forest: LdapForest, part: Part, filter_: str) -> tuple[Entry, ...]:
        raw = self._session.raw(forest, str(part.base), ldap.SCOPE_SUBTREE, filter_, ATTRIBUTES)
        return tuple(self._session.entries(forest, raw))

    def _present(self, forest: LdapForest, part: Part) -> frozenset[str]:
        attributes = ("objectGUID", "objectClass")
        raw = self._session.raw(forest, str(part.base), ldap.SCOPE_SUBTREE, _filter(part), attributes)
        return frozenset(uid_of(values) for _, values in raw)

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

    ``stale``: something has changed that may concern it, and it was not compared since.
    """

    usn: int = 0
    generation: int = 0
    compared_at: float = 0.0
    stale: bool = False

    def due(self, part: Part, now: float) -> bool:
        """Whether it may be compared as a whole again."""
        return now - self.compared_at > (FEW_S if part.few else MANY_S)


_UNREAD = _Reached()
_Step = tuple[Changes | None, _Reached]
"""What is new in a part, and how far it is followed once that was handed over."""


@dataclass(slots=True)
class _Followed:
    part: Part
    reached: _Reached = _UNREAD
    away: bool = False


def _filter(part: Part, since: int = 0) -> str:
    """The entries of a part, or those of them that changed; of a part with few entries, what holds them, too."""
    classes = part.classes | (_GROUND if since and part.few else frozenset())
    terms = "".join(f"(objectClass={schema.WIRE_CLASSES[each]})" for each in sorted(classes))
    kind = f"(|{terms})(!(objectClass=computer))"
    return f"(&{kind}(uSNChanged>={since}))" if since else f"(&{kind})"


def uid_of(values: dict[str, list[bytes]]) -> str:
    """What an entry is known by for its life."""
    return values.get("objectGUID", values.get("entryUUID", [b""]))[0].hex()
