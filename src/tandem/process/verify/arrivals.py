"""What live checks leave in mailboxes, found by the Call-ID of each call (X-CallID) and deleted again."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from tandem.mail.errors import MailError
from tandem.mail.headers import parse_headers
from tandem.mail.port import Mailbox, MailStore, MessageKind

_HEAD = 16_384
"""More than the headers of our mails."""


@dataclass(slots=True, kw_only=True)
class Arrivals:
    """The messages of one mailbox that come of one call."""

    mailbox: Mailbox
    call_id: str
    found: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    async def look(self) -> bool:
        """Look at messages that were not looked at yet. Returns whether one of the call has come. Raises MailError."""
        for info in await self.mailbox.list():
            if info.key in self._seen or info.kind not in (MessageKind.VOICE, MessageKind.MISSED_CALL):
                continue
            with contextlib.suppress(MailError):  # it went away, or somebody moves it just now
                data = await self.mailbox.open(info.key)
                self._seen.add(info.key)
                if parse_headers(data[:_HEAD])["X-CallID"] == self.call_id:
                    self.found.add(info.key)
        return bool(self.found)

    async def wait(self) -> None:
        """Wait until one has come."""
        async with contextlib.aclosing(self.mailbox.watch()) as changes:
            async for _ in changes:
                if await self.look():
                    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How many messages were deleted, and what could not be said of the others."""

    count: int
    wrong: str = ""


@dataclass(slots=True, kw_only=True)
class Cleaner:
    """Remembers what calls leave where, and deletes it in the end."""

    mail: MailStore
    _expected: list[Arrivals] = field(default_factory=list)

    def expect(self, address: str, call_id: str) -> Arrivals:
        """A call was answered for this mail address: a message comes of it, now or later. Raises MailError."""
        arrivals = Arrivals(mailbox=self.mail.mailbox(address), call_id=call_id)
        self._expected.append(arrivals)
        return arrivals

    async def remove(self, within_s: float) -> Removed:
        """Delete everything that came, waiting this long for what has not come yet."""
        results = await asyncio.gather(*(self._remove(each, within_s) for each in self._expected))
        problems = [wrong for wrong in results if wrong]
        return Removed(count=sum(len(each.found) for each in self._expected), wrong="; ".join(dict.fromkeys(problems)))

    @staticmethod
    async def _remove(arrivals: Arrivals, within_s: float) -> str:
        try:
            async with asyncio.timeout(within_s):
                await arrivals.wait()
            for key in arrivals.found:
                await arrivals.mailbox.delete(key)
        except TimeoutError:
            return f"no message of call {arrivals.call_id} has come yet; if it comes, delete it"
        except MailError as error:
            return str(error)
        return ""
