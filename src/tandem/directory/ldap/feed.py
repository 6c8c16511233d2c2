"""Following Active Directory by polling (MS-ADTS 3.1.1.5.1.2, uSNChanged).

A change number is a domain controller's own: when another one answers, everything is read again. Who is no administrator
does not see deleted entries, and an entry that is shown to us from now on has not changed: so of parts with few entries all
are read again when one of them has changed, at least every ten seconds in which anything did; of the others the identifiers
are compared every five minutes. Every hour the session binds again and reads everything, since Active Directory notes the
groups of an identity when it binds.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import ldap
from ldap.controls import RequestControl

from tandem.core.log import event, get_logger
from tandem.directory import schema
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryUnavailable, InvalidCredentials
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
                part.usn = 0
        found = [each for part in self._parts if (each := self._followed(part, now)) is not None]
        if not found:
            return None
        return Changes(
            entries=tuple(entry for each in found for entry in each.entries),
            gone=frozenset(uid for each in found for uid in each.gone),
            present={base: uids for each in found for base, uids in each.present.items()},
        )

    def _followed(self, followed: "_Followed", now: float) -> Changes | None:
        """A part of another forest may be away: what is known of it stays, and the rest goes on."""
        try:
            return self._poll(followed, now)
        except (DirectoryUnavailable, InvalidCredentials) as error:
            if self._session.is_home(followed.part.base):
                raise
            if not followed.away:
                event(_log, logging.WARNING, "directory.forest_unread", base=followed.part.base, error=error)
            followed.away = True
            return None

    def _poll(self, followed: "_Followed", now: float) -> Changes | None:
        forest = self._session.forest_at(followed.part.base)
        if forest is None:
            return None
        committed = forest.committed()
        generation = forest.pool.generation
        if not followed.usn or followed.generation != generation:
            changes: Changes | None = self._whole(forest, followed, now)
        elif committed == followed.usn and not (followed.stale and followed.due(now)):
            return None
        else:
            changes = self._more(forest, followed, now)
        # Only now: what failed is asked for again.
        followed.usn, followed.generation, followed.away = committed, generation, False
        return changes

    def _whole(self, forest: LdapForest, followed: "_Followed", now: float) -> Changes:
        entries = self._entries(forest, followed.part, followed.filter())
        followed.compared_at, followed.stale = now, False
        return Changes(entries=entries, present={followed.part.base.path: frozenset(e.uid for e in entries)})

    def _more(self, forest: LdapForest, followed: "_Followed", now: float) -> Changes | None:
        due = followed.due(now)
        changed = self._entries(forest, followed.part, followed.filter(since=followed.usn + 1))
        gone = self._deleted(forest, followed)
        followed.stale = not due  # what was deleted may not have been shown
        if followed.part.few:
            return self._whole(forest, followed, now) if changed or gone or due else None
        present: dict[str, frozenset[str]] = {}
        if due:
            present[followed.part.base.path] = self._present(forest, followed)
            followed.compared_at = now
        return Changes(entries=changed, gone=gone, present=present) if changed or gone or present else None

    def _entries(self, forest: LdapForest, part: Part, filter_: str) -> tuple[Entry, ...]:
        raw = self._session.raw(forest, str(part.base), ldap.SCOPE_SUBTREE, filter_, ATTRIBUTES)
        return tuple(self._session.entries(forest, raw))

    def _present(self, forest: LdapForest, followed: "_Followed") -> frozenset[str]:
        base = str(followed.part.base)
        raw = self._session.raw(forest, base, ldap.SCOPE_SUBTREE, followed.filter(), ("objectGUID", "objectClass"))
        return frozenset(uid_of(values) for _, values in raw)

    def _deleted(self, forest: LdapForest, followed: "_Followed") -> frozenset[str]:
        """Those of its deleted entries that this identity may see."""

        def ask(connection: object) -> list[Raw]:
            base = f"CN=Deleted Objects,{forest.context_of(followed.part.base)}"
            text = f"(&(isDeleted=TRUE)(uSNChanged>={followed.usn + 1}))"
            return search(connection, base, ldap.SCOPE_ONELEVEL, text, ("objectGUID",), (_SHOW_DELETED,))

        try:
            return frozenset(uid_of(values) for _, values in forest.pool.read(ask))
        except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
            return frozenset()


class _Followed:
    """A part, and how far it has been followed."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.usn = 0
        self.generation = 0
        self.compared_at = 0.0
        self.away = False
        self.stale = False
        """Whether something has changed that may concern it, and it was not compared since."""

    def due(self, now: float) -> bool:
        """Whether it may be compared as a whole again."""
        return now - self.compared_at > (FEW_S if self.part.few else MANY_S)

    def filter(self, since: int = 0) -> str:
        """Its entries, or those of them that changed; of a part with few entries, what holds them, too."""
        classes = self.part.classes | (_GROUND if since and self.part.few else frozenset())
        terms = "".join(f"(objectClass={schema.WIRE_CLASSES[each]})" for each in sorted(classes))
        kind = f"(|{terms})(!(objectClass=computer))"
        return f"(&{kind}(uSNChanged>={since}))" if since else f"(&{kind})"


def uid_of(values: dict[str, list[bytes]]) -> str:
    """What an entry is known by for its life."""
    return values.get("objectGUID", values.get("entryUUID", [b""]))[0].hex()
