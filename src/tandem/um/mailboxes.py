"""Mailboxes go with their users: one whose mail address changes keeps every message.

Which address each user had is kept in a file of the server's home, so that a change is seen also if it came while the server
was down. It is written before each step, and a step may be repeated: a crash in between costs nothing, nor does a message that
was still on its way to the old address, unless somebody else has that by now.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.mail.disk import replace, sync_folder
from tandem.mail.errors import MailError
from tandem.mail.port import MailStore
from tandem.service.threads import ThreadPool
from tandem.um.config import UmConfig, listed

_log = get_logger("um")
AGAIN_S = 60.0
"""How often an old address is looked at again: a message in the spool may still have gone there."""


@dataclass(slots=True, kw_only=True)
class _Known:
    """``mail`` by user (the entry's name, which a new account name does not change).

    From old to new address: ``waiting`` to be taken out of the old mailbox, ``aside`` taken out of it, ``moved`` long since.
    """

    mail: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)


class MailboxMoves:
    """Moves mailboxes of users whose mail address changed, until cancelled (:meth:`run`)."""

    def __init__(
        self,
        *,
        config: Callable[[], UmConfig],
        store: MailStore,
        disk: ThreadPool,
        file: Path,
        again_s: float = AGAIN_S,
    ) -> None:
        self._config = config
        self._store = store
        self._disk = disk
        self._file = file
        self._again_s = again_s
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """The directory changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Look now, whenever the directory changed, and once a minute while an old address may still get messages."""
        known = await self._disk.run(_read, self._file)
        while True:
            self._wanted.clear()
            await self._look(known)
            again_s = self._again_s if known.waiting or known.aside or known.moved else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again_s):
                    await self._wanted.wait()

    async def _look(self, known: _Known) -> None:
        changed, owned = await self._disk.run(_compare, known, self._config().users)
        if changed:
            await self._write(known)
        # Two who swap addresses get their own messages: all are taken out before the first one is put in.
        for old in tuple(known.waiting):
            if await self._move(old, _aside(old)) is not None:
                known.aside[old] = known.waiting.pop(old)
                await self._write(known)
        for old, new in tuple(known.aside.items()):
            if await self._move(_aside(old), new) is not None:
                event(_log, logging.INFO, "um.mailbox_moved", address=old, to=new)
                known.moved[old] = known.aside.pop(old)
                await self._write(known)
        for old, new in known.moved.items():
            if old not in owned:
                await self._move(old, new)

    async def _move(self, address: str, to: str) -> bool | None:
        """Whether there was a mailbox to move; nothing if it could not be done now."""
        try:
            return await self._store.move(address, to)
        except MailError as error:
            event(_log, logging.WARNING, "um.mailbox_not_moved", address=address, to=to, error=error)
            return None

    async def _write(self, known: _Known) -> None:
        await self._disk.run(_write, self._file, dataclasses.asdict(known))


def _aside(address: str) -> str:
    return f"{address}.moving"


def _compare(known: _Known, users: Mapping[str, o.User]) -> tuple[bool, frozenset[str]]:
    """Take over the addresses of all users. Returns whether one is new, and all of them. In a thread: it reads every user."""
    everyone = [(f"{user.entry_name}/{user.container}".lower(), user.mail.lower()) for user in listed(users)]
    changed = False
    for name, mail in everyone:
        before = known.mail.get(name)
        if not mail or before == mail:
            continue
        known.mail[name] = mail
        changed = True
        if before:
            for kept in (known.aside, known.moved):  # what is still on its way goes on to the newest address
                kept.update({old: mail for old, new in kept.items() if new == before})
            known.moved.pop(mail, None)
            known.waiting[before] = mail
    return changed, frozenset(mail for _, mail in everyone)


def _read(file: Path) -> _Known:
    try:
        return _Known(**json.loads(file.read_bytes()))
    except FileNotFoundError:
        return _Known()
    except (ValueError, TypeError) as error:
        event(_log, logging.WARNING, "um.mailboxes_unknown", file=file, error=error)
        return _Known()


def _write(file: Path, known: dict[str, dict[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(file, json.dumps(known).encode())
    sync_folder(file.parent)
