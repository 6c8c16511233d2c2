"""Mailboxes in memory behind the port of mail: nothing blocks, so that the jumping loop can run what uses them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from tandem.mail.errors import MailError, NoSuchMessage
from tandem.mail.headers import read_info
from tandem.mail.maildir.names import check_message_id, folder_name
from tandem.mail.port import MessageFlag, MessageInfo, MessageKind, VoiceCounts

_P = ParamSpec("_P")
_T = TypeVar("_T")


class InlineCalls:
    """See :class:`tandem.mail.disk.BlockingCalls`; calls at once, in the thread of the loop."""

    async def run(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """See :meth:`tandem.mail.disk.BlockingCalls.run`."""
        return function(*args, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    info: MessageInfo
    data: bytes


class MemoryMailbox:
    """See :class:`tandem.mail.port.Mailbox`. While :attr:`broken` is set, every call raises it."""

    def __init__(self, address: str) -> None:
        self.broken: MailError | None = None
        self.appended: list[str] = []
        self._address = address
        self._kept: dict[str, _Kept] = {}
        self.changed = asyncio.Event()

    @property
    def exists(self) -> bool:
        """Whether there ever was a message."""
        return bool(self.appended)

    def break_down(self) -> None:
        """From now on the store does nothing."""
        self.broken = MailError(f"mailbox {self._address} is away", retryable=True)

    async def append(self, message_id: str, data: bytes) -> str:
        """See :meth:`tandem.mail.port.Mailbox.append`."""
        check_message_id(message_id)
        self._check()
        self.appended.append(message_id)
        if message_id not in self._kept:
            info = read_info(data, key=message_id, size=len(data), arrived_at=datetime.now(UTC))
            self._keep(message_id, _Kept(info=info, data=data))
        return message_id

    async def list(self) -> tuple[MessageInfo, ...]:
        """See :meth:`tandem.mail.port.Mailbox.list`."""
        self._check()
        return tuple(kept.info for kept in list(self._kept.values()))

    async def open(self, key: str) -> bytes:
        """See :meth:`tandem.mail.port.Mailbox.open`."""
        return self._get(key).data

    async def flag(
        self, key: str, *, add: Iterable[MessageFlag] = (), remove: Iterable[MessageFlag] = ()
    ) -> frozenset[MessageFlag]:
        """See :meth:`tandem.mail.port.Mailbox.flag`."""
        return self.change(key, add=frozenset(add), remove=frozenset(remove))

    def change(
        self, key: str, *, add: frozenset[MessageFlag], remove: frozenset[MessageFlag] = frozenset()
    ) -> frozenset[MessageFlag]:
        """:meth:`flag` without a loop, for another client in a test."""
        kept = self._get(key)
        flags = kept.info.flags - remove | add
        self._keep(key, replace(kept, info=replace(kept.info, flags=flags)))
        return flags

    async def delete(self, key: str) -> None:
        """See :meth:`tandem.mail.port.Mailbox.delete`."""
        self.remove(key)

    def remove(self, key: str) -> None:
        """:meth:`delete` without a loop, for another client in a test."""
        self._check()
        self._kept.pop(key, None)
        self._tell()

    async def counts(self) -> VoiceCounts:
        """See :meth:`tandem.mail.port.Mailbox.counts`."""
        voice = [
            info
            for info in await self.list()
            if info.kind is MessageKind.VOICE and MessageFlag.DELETED not in info.flags
        ]
        old = [info for info in voice if MessageFlag.SEEN in info.flags]
        urgent, urgent_old = sum(info.urgent for info in voice), sum(info.urgent for info in old)
        return VoiceCounts(
            new=len(voice) - len(old), old=len(old), urgent_new=urgent - urgent_old, urgent_old=urgent_old
        )

    async def watch(self) -> AsyncGenerator[None, None]:
        """See :meth:`tandem.mail.port.Mailbox.watch`."""
        while True:
            changed = self.changed
            yield
            await changed.wait()

    def _check(self) -> None:
        if self.broken:
            raise self.broken

    def _get(self, key: str) -> _Kept:
        self._check()
        if key not in self._kept:
            raise NoSuchMessage(key)
        return self._kept[key]

    def _keep(self, key: str, kept: _Kept) -> None:
        self._kept[key] = kept
        self._tell()

    def _tell(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def take_from(self, other: "MemoryMailbox") -> bool:
        """All messages of another mailbox, which does not exist any more."""
        for each in (self, other):
            each._check()
        moved, other._kept, other.appended = other._kept, {}, []
        self._kept |= {key: kept for key, kept in moved.items() if key not in self._kept}
        self.appended += list(moved)
        self._tell()
        return bool(moved)


class MemoryMailStore:
    """See :class:`tandem.mail.port.MailStore`."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, MemoryMailbox] = {}

    def mailbox(self, address: str) -> MemoryMailbox:
        """See :meth:`tandem.mail.port.MailStore.mailbox`."""
        name = folder_name(address)
        return self._mailboxes.setdefault(name, MemoryMailbox(name))

    async def watch(self, addresses: Callable[[], Iterable[str]]) -> AsyncGenerator[frozenset[str], None]:
        """See :meth:`tandem.mail.port.MailStore.watch`."""
        seen: dict[str, asyncio.Event] = {}
        while True:
            events = {address: self.mailbox(address).changed for address in addresses() if _is_mailbox(address)}
            changed = frozenset(a for a, e in events.items() if seen.get(a) is not e and self.mailbox(a).exists)
            seen = events
            if changed:
                yield changed
            await asyncio.sleep(0.1)

    async def addresses(self) -> tuple[str, ...]:
        """See :meth:`tandem.mail.port.MailStore.addresses`."""
        return tuple(sorted(name for name, mailbox in list(self._mailboxes.items()) if mailbox.exists))

    async def move(self, address: str, to: str) -> bool:
        """See :meth:`tandem.mail.port.MailStore.move`."""
        if folder_name(address) == folder_name(to):
            return False
        return self.mailbox(to).take_from(self.mailbox(address))

    async def remove(self, address: str) -> None:
        """See :meth:`tandem.mail.port.MailStore.remove`."""
        self._mailboxes.pop(folder_name(address), None)


def _is_mailbox(address: str) -> bool:
    try:
        return bool(folder_name(address))
    except MailError:
        return False
