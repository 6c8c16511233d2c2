"""Users are told by mail when their dial plan, their extension or its access numbers change: one mail for each change.

What each was told last is kept in a file of the server's home, so that a change is seen also if it came while the server was
down, and a start tells nothing. Who is in the file for the first time is told nothing either: the welcome mail did that. A mail
is delivered before the file is written; after a crash in between it has the same name again, and is not delivered twice.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.core.tables import listed
from tandem.directory import objects as o
from tandem.mail import compose
from tandem.mail.disk import replace_synced
from tandem.mail.port import Submission
from tandem.service.threads import Threads
from tandem.um.config import NO_PIN_YET, UmConfig
from tandem.um.enrolment import locked

_log = get_logger("um")
SETTLE_S = 5.0
"""How long changes are waited for after the first one: what an administrator changes at once is told in one mail."""
AGAIN_S = 60.0
"""After which time a mail that could not be delivered is tried again."""
_SLICE = 100
"""Mails after which the file is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a user knows; ``mails`` have told of changes. An empty ``extension``: the dial plan was not this server's."""

    dial_plan: str
    extension: str
    numbers: tuple[str, ...]
    mails: int = 0


_Everyone = dict[str, _Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A user who is to be told."""

    user: o.User
    before: _Told
    now: _Told


class ChangeNotices:
    """Tells users of changes, until cancelled (:meth:`run`). ``file`` keeps what they were told; a lock is beside it."""

    def __init__(
        self, config: Callable[[], UmConfig], submission: Submission, clock: Clock, *, threads: Threads, file: Path
    ) -> None:
        self._config = config
        self._clock = clock
        self._threads = threads
        self._file = file
        self._submission = submission
        self._wanted = asyncio.Event()
        self._told: _Everyone = {}
        self._not_told: dict[str, str] = {}

    def wake(self) -> None:
        """The directory changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Look now, whenever the directory changed, and once a minute while a mail could not be delivered."""
        while True:
            self._wanted.clear()
            await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S if self._not_told else None):
                    await self._wanted.wait()
            await asyncio.sleep(SETTLE_S)

    async def _look(self) -> None:
        disk, failed = self._threads.disk, dict[str, str]()
        _, new, changes = await disk.run(_compare, self._told, self._config())
        while new or changes.keys() - failed.keys():
            # One of the UM servers of a home tells: the others find it told when they have the lock.
            async with locked(self._file.with_suffix(".lock"), disk):
                known = await disk.run(_read, self._file)
                told, new, changes = await disk.run(_compare, known, self._config())
                for account in tuple(islice((each for each in changes if each not in failed), _SLICE)):
                    change = changes.pop(account)
                    if why := await self._tell(account, change):
                        failed[account] = why
                    else:
                        told[account] = change.now
                if told != known:
                    await disk.run(_write, self._file, told)
                self._told, new = told, False
        self._not_told = failed

    async def _tell(self, account: str, change: _Change) -> str:
        """Why a user could not be told; an empty text if it was done."""
        user, before, now = change.user, change.before, change.now
        name = hashlib.sha256("\0".join((account, str(now.mails), *_texts(now))).encode()).hexdigest()[:16]
        mail = compose.changed(
            mailbox=user.mail,
            name=user.display_name,
            extension=now.extension,
            dial_plan=now.dial_plan if now.dial_plan != before.dial_plan else "",
            access_numbers=now.numbers if now.numbers != before.numbers else None,
            at=self._clock.at(),
            message_id=f"changed-{name}",
        )
        try:
            await self._submission.send(message_id=f"changed-{name}", recipient=user.mail, data=mail)
        except Exception as error:  # one mailbox that takes nothing holds up no other
            why = str(error) or repr(error)
            if self._not_told.get(account) != why:
                event(_log, logging.WARNING, "um.change_not_told", account=account, error=why)
            return why
        event(_log, logging.INFO, "um.change_told", account=account, dial_plan=now.dial_plan, extension=now.extension)
        return ""


def _compare(known: _Everyone, config: UmConfig) -> tuple[_Everyone, bool, dict[str, _Change]]:
    """What is known without those who are gone and with those who are new, whether there are such, and who is to be told.

    In a thread: it reads every user.
    """
    told, changes = _Everyone(), dict[str, _Change]()
    for user in listed(config.users.values):
        account, before = user.account.lower(), known.get(user.account.lower())
        plan, extension = config.dial_plans.get(user.um_dial_plan), config.extension(user)
        if before is not None:
            told[account] = before
        if user.pin_state in NO_PIN_YET or (plan is None) != (not extension):
            continue  # who gets the welcome mail first, or whose entry is not whole
        numbers = plan.access_numbers if plan else ()
        if before is None:
            told[account] = _Told(dial_plan=user.um_dial_plan, extension=extension, numbers=numbers)
        elif plan is not None:  # otherwise a server of that dial plan tells
            now = _Told(dial_plan=plan.name, extension=extension, numbers=numbers, mails=before.mails + 1)
            if before.dial_plan == now.dial_plan and not before.extension:
                told[account] = _Told(dial_plan=plan.name, extension=extension, numbers=numbers, mails=before.mails)
            elif _texts(now) != _texts(before):
                changes[account] = _Change(user=user, before=before, now=now)
    return told, told != known, changes


def _texts(told: _Told) -> tuple[str, ...]:
    return (told.dial_plan, told.extension, *told.numbers)


def _read(file: Path) -> _Everyone:
    try:
        return {
            account: _Told(dial_plan=plan, extension=extension, numbers=tuple(numbers), mails=int(mails))
            for account, (plan, extension, numbers, mails) in json.loads(file.read_bytes()).items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        event(_log, logging.WARNING, "um.told_unknown", file=file, error=error)
        return {}


def _write(file: Path, told: _Everyone) -> None:
    replace_synced(file, json.dumps({account: astuple(each) for account, each in told.items()}).encode())
