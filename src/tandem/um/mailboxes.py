"""Mailboxes go with their users: one whose mail address changes keeps every message, and gets nobody else's.

Which address each user had is kept in a file of the server's home, so that a change is seen also if it came while the server
was down. It is written before each step, and a step may be repeated: a crash in between costs nothing, nor does a message that
was still on its way to the old address, unless somebody else has that by now. Of the servers of a home one looks at a time.

An address is one user's. Who gets one that another user has and keeps (a slip of an administrator's) has none of his own until
that ends: his mailbox stays where it was, and theirs is not touched.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.mail.disk import replace_synced
from tandem.mail.errors import MailError
from tandem.mail.port import MailStore
from tandem.service.threads import ThreadPool
from tandem.um.enrolment import locked

_log = get_logger("um")
AGAIN_S = 60.0
"""How often an old address is looked at again: a message in the spool may still have gone there."""


@dataclass(slots=True, kw_only=True)
class _Known:
    """``mail`` by the id of the user's entry, which no new name changes and no other user ever gets.

    From old to new address: ``waiting`` to be taken out of the old mailbox, ``aside`` taken out of it, ``moved`` long since.
    """

    mail: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)

    def follow(self, seen: dict[str, str], users: dict[str, str]) -> tuple[bool, dict[str, str]]:
        """Take over the addresses of ``users`` that differ from what this server has ``seen`` last, all by id.

        Returns whether there are any, and who cannot have theirs, from the old to the new address.
        """
        before_all = dict(self.mail)
        for uid in (seen or before_all).keys() - users.keys():
            self.mail.pop(uid, None)
            seen.pop(uid, None)
        self.mail = seen | self.mail
        kept = {mail for uid, mail in users.items() if self.mail.get(uid) == mail}
        new = {uid: mail for uid, mail in users.items() if mail and seen.get(uid) != mail}
        refused = self._refuse(new, kept)
        left: dict[str, str] = {}
        for uid, mail in new.items():
            before = self.mail.get(uid)
            seen[uid] = self.mail[uid] = mail
            if before and before != mail and before not in kept:
                left[before] = mail
        for moves in (self.waiting, self.aside, self.moved):  # what is still on its way goes on to the newest address
            moves.update({old: left.get(to, to) for old, to in moves.items()})
        self.waiting = left | self.waiting  # what is there is its former user's, as long as that is not taken out
        had = self.moved.keys() & set(users.values())
        for mail in had:  # what comes there now is for whom has it now
            del self.moved[mail]
        return bool(had) or self.mail != before_all, refused

    def _refuse(self, new: dict[str, str], kept: set[str]) -> dict[str, str]:
        """Take out of ``new`` who wants an address that another user keeps; add the one that they keep themselves.

        Nobody gets an address either whose messages are still on their way to the user who had it.
        """
        refused: dict[str, str] = {}
        again = True
        while again:  # for who wants what somebody keeps who was refused just now
            again, taken = False, kept | self.waiting.keys() | self.aside.keys()
            for uid, mail in tuple(new.items()):
                before = self.mail.get(uid)
                if before != mail and mail in taken:
                    del new[uid]
                    if before:
                        refused[before] = mail
                        again = before not in kept
                        kept.add(before)
                else:
                    taken.add(mail)
                if again:
                    break
        return refused


class MailboxMoves:
    """Moves mailboxes of users whose mail address changed, until cancelled (:meth:`run`).

    ``users`` gives all users by the ids of their entries; it is called in a thread.
    """

    def __init__(
        self,
        users: Callable[[], dict[str, o.User]],
        *,
        store: MailStore,
        disk: ThreadPool,
        file: Path,
        again_s: float = AGAIN_S,
    ) -> None:
        self._users = users
        self._store = store
        self._disk = disk
        self._file = file
        self._lock_file = file.with_suffix(".lock")
        self._again_s = again_s
        self._seen: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """The directory changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Look now, whenever the directory changed, and once a minute while an old address may still get messages."""
        while True:
            self._wanted.clear()
            async with locked(self._lock_file, self._disk):
                known = await self._disk.run(_read, self._file)  # another server of the home may have moved some
                await self._look(known)
            again_s = self._again_s if known.waiting or known.aside or known.moved else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again_s):
                    await self._wanted.wait()

    async def _look(self, known: _Known) -> None:
        changed, owned = await self._disk.run(self._compare, known)
        if changed:
            await self._write(known)
        # Two who swap addresses get their own messages: all are taken out before the first one is put in.
        # What another user left there before has gone on first.
        for old in known.waiting.keys() - known.aside.keys():
            if await self._move(old, _aside(old)) is not None:
                known.aside[old] = known.waiting.pop(old)
                await self._write(known)
        for old, new in tuple(known.aside.items()):
            if await self._move(_aside(old), new) is not None:
                event(_log, logging.INFO, "um.mailbox_moved", address=old, to=new)
                known.moved[old] = known.aside.pop(old)
                await self._write(known)
        for old, new in known.moved.items():
            if old not in owned and old not in known.waiting:
                await self._move(old, new)

    async def _move(self, address: str, to: str) -> bool | None:
        """Whether there was a mailbox to move; nothing if it could not be done now."""
        try:
            return await self._store.move(address, to)
        except MailError as error:
            event(_log, logging.WARNING, "um.mailbox_not_moved", address=address, to=to, error=error)
            return None

    def _compare(self, known: _Known) -> tuple[bool, frozenset[str]]:
        """Take over the addresses of all users (blocks); returns whether that made a difference, and all of them."""
        enabled_first = sorted(self._users().items(), key=lambda each: not each[1].um_enabled)
        users = {uid: user.mail.lower() for uid, user in enabled_first}
        changed, refused = known.follow(self._seen, users)
        for before, mail in refused.items():
            if self._refused.get(before) != mail:
                event(_log, logging.WARNING, "um.mailbox_address_taken", address=mail, stays=before)
        self._refused = refused
        return changed, frozenset(users.values())

    async def _write(self, known: _Known) -> None:
        await self._disk.run(_write, self._file, dataclasses.asdict(known))


def _aside(address: str) -> str:
    return f"{address}.moving"


def still_somebodys(file: Path) -> frozenset[str]:
    """Addresses whose messages a UM server is still to move, or whose user it has not seen leave, by its file (blocks).

    Raises:
        MailError: the file cannot be read.
    """
    known = _read(file)
    on_the_way = known.waiting | known.aside
    return frozenset((*known.mail.values(), *on_the_way, *on_the_way.values(), *known.moved))


def _read(file: Path) -> _Known:
    try:
        return _Known(**json.loads(file.read_bytes()))
    except FileNotFoundError:
        return _Known()
    except OSError as error:
        raise MailError(
            f"{file} cannot be read: {error.strerror}; check its owner and its mode", retryable=True
        ) from error
    except (ValueError, TypeError) as error:
        event(_log, logging.WARNING, "um.mailboxes_unknown", file=file, error=error)
        return _Known()


def _write(file: Path, known: dict[str, dict[str, str]]) -> None:
    replace_synced(file, json.dumps(known).encode())
