"""Maildirs behind the port of mail: one folder for each address, all disk work in threads.

Maildirs tell nobody of a change, so that watching is looking at the times of two folders, of some mailboxes at a time.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path

from tandem.core.tables import listed
from tandem.mail.disk import BlockingCalls
from tandem.mail.errors import MailError
from tandem.mail.maildir.folder import MaildirFolder, Stamp, folders_below
from tandem.mail.maildir.names import folder_name
from tandem.mail.port import MessageFlag, MessageInfo, VoiceCounts

WATCH_S = 2.0
SETTLED_NS = 1_000_000_000
"""A folder that changed less than this ago can change again without another time: no filesystem in use is coarser."""
SLICE, SLICE_S = 500, 0.25
"""A store's watcher looks at so many mailboxes, and then waits so many seconds before the next ones: 2,000 a second."""
_UNREADABLE: Stamp = (-1, -1)
_UNSETTLED: Stamp = (-2, -2)


class MaildirMailbox:
    """See :class:`tandem.mail.port.Mailbox`."""

    def __init__(self, folder: MaildirFolder, disk: BlockingCalls, *, watch_s: float = WATCH_S) -> None:
        self._folder = folder
        self._disk = disk
        self._watch_s = watch_s

    async def append(self, message_id: str, data: bytes) -> str:
        """See :meth:`tandem.mail.port.Mailbox.append`."""
        return await self._disk.run(self._folder.append, message_id, data)

    async def list(self) -> tuple[MessageInfo, ...]:
        """See :meth:`tandem.mail.port.Mailbox.list`."""
        return await self._disk.run(self._folder.list)

    async def open(self, key: str) -> bytes:
        """See :meth:`tandem.mail.port.Mailbox.open`."""
        return await self._disk.run(self._folder.open, key)

    async def flag(
        self, key: str, *, add: Iterable[MessageFlag] = (), remove: Iterable[MessageFlag] = ()
    ) -> frozenset[MessageFlag]:
        """See :meth:`tandem.mail.port.Mailbox.flag`."""
        return await self._disk.run(self._folder.flag, key, add=frozenset(add), remove=frozenset(remove))

    async def delete(self, key: str) -> None:
        """See :meth:`tandem.mail.port.Mailbox.delete`."""
        await self._disk.run(self._folder.delete, key)

    async def counts(self) -> VoiceCounts:
        """See :meth:`tandem.mail.port.Mailbox.counts`."""
        return await self._disk.run(self._folder.counts)

    async def watch(self) -> AsyncGenerator[None, None]:
        """See :meth:`tandem.mail.port.Mailbox.watch`."""
        watched = _Watched()
        await self._disk.run(watched.changed, "", self._folder)
        yield
        while True:
            await asyncio.sleep(self._watch_s)
            if await self._disk.run(watched.changed, "", self._folder):
                yield


class MaildirStore:
    """See :class:`tandem.mail.port.MailStore`.

    Args:
        root: the folder that holds a Maildir for each address, in lower case.
        disk: does what blocks.
        watch_s: seconds between two looks of a watcher.
    """

    def __init__(self, root: Path, disk: BlockingCalls, *, watch_s: float = WATCH_S) -> None:
        self._root = root
        self._disk = disk
        self._watch_s = watch_s
        self._folders: dict[str, MaildirFolder] = {}

    def mailbox(self, address: str) -> MaildirMailbox:
        """See :meth:`tandem.mail.port.MailStore.mailbox`."""
        return MaildirMailbox(self._folder(address), self._disk, watch_s=self._watch_s)

    async def watch(self, addresses: Callable[[], Iterable[str]]) -> AsyncGenerator[frozenset[str], None]:
        """See :meth:`tandem.mail.port.MailStore.watch`."""
        watched = _Watched()
        while True:
            everybody = await self._disk.run(listed, addresses)
            for first in range(0, len(everybody), SLICE):
                if first:
                    await asyncio.sleep(min(SLICE_S, self._watch_s))
                if changed := await self._disk.run(self._changed, watched, everybody[first : first + SLICE]):
                    yield changed
            await asyncio.sleep(self._watch_s)

    async def addresses(self) -> tuple[str, ...]:
        """See :meth:`tandem.mail.port.MailStore.addresses`."""
        return await self._disk.run(folders_below, self._root)

    async def move(self, address: str, to: str) -> bool:
        """See :meth:`tandem.mail.port.MailStore.move`."""
        return await self._disk.run(self._folder(address).move, self._folder(to))

    async def remove(self, address: str) -> None:
        """See :meth:`tandem.mail.port.MailStore.remove`."""
        await self._disk.run(self._folder(address).destroy)

    def _folder(self, address: str) -> MaildirFolder:
        name = folder_name(address)
        return self._folders.setdefault(name, MaildirFolder(self._root / name))

    def _changed(self, watched: "_Watched", addresses: tuple[str, ...]) -> frozenset[str]:
        found = set()
        for address in addresses:
            try:
                if watched.changed(address, self._folder(address)):
                    found.add(address)
            except MailError:
                continue  # no mailbox can have this name
        return frozenset(found)


class _Watched:
    """What one watcher saw last."""

    def __init__(self) -> None:
        self._seen: dict[str, Stamp] = {}

    def changed(self, name: str, folder: MaildirFolder) -> bool:
        """Whether a mailbox that exists may have changed since the last time (blocks)."""
        try:
            stamp = folder.stamp()
        except OSError:
            stamp = _UNREADABLE  # reported once; reading it then raises the error
        if stamp == self._seen.get(name, (0, 0)):
            return False
        if 0 <= time.time_ns() - max(stamp) < SETTLED_NS:
            stamp = _UNSETTLED
        self._seen[name] = stamp
        return True
