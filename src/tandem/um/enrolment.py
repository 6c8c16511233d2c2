"""Enrolment: PINs are made for users who have none yet, kept only as a hash, mailed to their owner.

The hash is Argon2id over an HMAC-SHA256 with a key from a file, so that a copy of the directory alone serves no guessing.
Rules as in UMMailboxPolicy: length, no sequence, no single digit, nothing that holds or is in the extension.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import hmac
import itertools
import logging
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.core.log import event, get_logger
from tandem.core.tasks import back_off_s
from tandem.directory import objects as o
from tandem.directory.errors import DirectoryUnavailable, NoSuchObject
from tandem.directory.repository import Repository
from tandem.mail import compose
from tandem.mail.disk import sync_folder
from tandem.mail.port import Submission
from tandem.org.vocabulary import PinState
from tandem.service.threads import ThreadPool, Threads
from tandem.um import counts
from tandem.um.config import NO_PIN_YET, UmConfig
from tandem.um.errors import few_of

_log = get_logger("um")
FIRST_DELAY_S, LONGEST_DELAY_S = 15.0, 3600.0
"""Seconds after which a user is tried again whose PIN could not be made; it doubles each time, up to the longest."""
_SLICE = 100
GENERATED_DIGITS = 6
_HASHER = PasswordHasher()


def acceptable(pin: str, *, extension: str, minimum: int) -> bool:
    """Whether a PIN fits the policy (AllowCommonPatterns is false)."""
    if not minimum <= len(pin) <= 24 or not pin.isascii() or not pin.isdigit():
        return False
    steps = {(ord(b) - ord(a)) for a, b in itertools.pairwise(pin)}
    if steps in ({0}, {1}, {-1}):
        return False
    return not (extension and (extension in pin or extension.endswith(pin)))


def generate(*, extension: str, minimum: int) -> str:
    """A random PIN that fits the policy."""
    length = max(GENERATED_DIGITS, minimum)
    while True:
        pin = "".join(str(secrets.randbelow(10)) for _ in range(length))
        if acceptable(pin, extension=extension, minimum=minimum):
            return pin


class PinHasher:
    """Hashes and checks PINs with the key in a file, which is made (mode 600), whole or not at all, when it is not there.

    A hash is good for one user only, known by the name of the entry, which stays when the account is renamed. Release 0.1 went
    by the account, which differs from it only where Tandem did not make the entry: such a hash is taken, too.
    Making one reads and writes the disk: in a thread, where there is a loop.
    """

    def __init__(self, key_file: Path) -> None:
        if not key_file.exists():
            key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=key_file.parent) as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):  # another server of the home has made one meanwhile
                    os.link(file.name, key_file)
            sync_folder(key_file.parent)
        self._key = key_file.read_bytes()

    def hash(self, user: o.User, pin: str) -> str:
        """What is kept of a user's PIN."""
        return _HASHER.hash(self._keyed(user.entry_name, pin))

    def verify(self, user: o.User, pin: str, kept: str) -> bool:
        """Whether this is the user's PIN."""
        names = {user.entry_name.lower(), user.account.lower()}
        return any(_verified(kept, self._keyed(name, pin)) for name in names)

    def _keyed(self, name: str, pin: str) -> bytes:
        return hmac.new(self._key, f"{name.lower()}:{pin}".encode(), hashlib.sha256).digest()


def _verified(kept: str, keyed: bytes) -> bool:
    try:
        return _HASHER.verify(kept, keyed)
    except VerificationError:
        return False


class Enrolment:
    """Makes and mails the PINs that are pending, until cancelled (:meth:`run`); calls go on meanwhile.

    ``config`` is the configuration in force; ``key_file`` holds the key of all PINs, and a lock file is beside it.
    """

    def __init__(
        self,
        *,
        config: Callable[[], UmConfig],
        repository: Repository,
        clock: Clock,
        ids: Ids,
        threads: Threads,
        key_file: Path,
        submission: Submission,
    ) -> None:
        self._config = config
        self._repository = repository
        self._clock, self._ids = clock, ids
        self._threads = threads
        self._lock_file = key_file.with_suffix(".lock")
        self._submission = submission
        self._key_file = key_file
        self._hasher: PinHasher  # by prepare
        self._wanted = asyncio.Event()
        self._made: dict[str, _MadePin] = {}
        self._tried: dict[str, _Tried] = {}

    async def prepare(self) -> None:
        """Read the key of all PINs, or make it. Raises :class:`OSError` if that cannot be done. Call it before :meth:`run`."""
        self._hasher = await self._threads.disk.run(PinHasher, self._key_file)

    def wake(self) -> None:
        """The directory changed: there may be users without a PIN."""
        self._wanted.set()

    async def run(self) -> None:
        """Make the PINs that are pending: now, and whenever there are some."""
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if not await self._make_pending():
                asyncio.get_running_loop().call_later(FIRST_DELAY_S, self._wanted.set)

    def problem(self) -> str:
        """Whose PIN could not be made, and why; an empty text if nobody's. May be called in any thread."""
        failed = [
            f"{account}: {tried.why} (tries: {tried.tries})" for account, tried in sorted(self._tried.copy().items())
        ]
        return few_of(failed)

    async def _make_pending(self) -> bool:
        """Whether all could be made."""
        now, pending = asyncio.get_running_loop().time, self._config().without_pin
        for account in self._tried.keys() - pending.keys():  # removed, or made by another server
            del self._tried[account]
        for number, account in enumerate(tuple(pending)):
            if number % _SLICE == 0:
                await asyncio.sleep(0)  # many may wait for their next try
            tried = self._tried.get(account)
            if (user := pending.get(account)) is None or (tried is not None and tried.again_at > now()):
                continue
            try:
                await self._make(user)
            except DirectoryUnavailable:
                return False  # it was logged when it was lost
            except Exception as error:  # one PIN that cannot be made holds up no other
                self._failed(account, str(error) or repr(error))
            else:
                self._tried.pop(account, None)
        return not self._tried

    def _failed(self, account: str, why: str) -> None:
        before = self._tried.get(account)
        if before is None or before.why != why:
            event(_log, logging.ERROR, "um.pin_not_made", account=account, error=why)
        tries = before.tries + 1 if before is not None else 1
        delay_s = back_off_s(tries, first_s=FIRST_DELAY_S, longest_s=LONGEST_DELAY_S)
        again_at = asyncio.get_running_loop().time() + delay_s
        self._tried[account] = _Tried(tries=tries, why=why, again_at=again_at)

    async def _make(self, user: o.User) -> None:
        """Make one PIN, mail it, keep its hash.

        What fails is tried again with the same PIN and the same mail, so that nobody gets two and the directory is written
        once. Only a crash between the mail and the hash makes and mails another one. One of the UM servers of a home does
        it: the others find it set when they have the lock. The directory is asked in a thread, so that one that hangs
        holds up no call.
        """
        account = user.account.lower()
        if user.um_dial_plan not in self._config().dial_plans:
            return
        async with locked(self._lock_file, self._threads.disk):
            found = await self._threads.directory.run(self._repository.same, user)
            if found is None:
                raise NoSuchObject(
                    f"there is no entry at {self._repository.dn_of(user)} any more: renamed, moved, or removed"
                )
            if found[0].pin_state not in NO_PIN_YET:
                self._made.pop(account, None)
                return
            made = self._made.get(account)
            if made is None or made.recipient != found[0].mail:
                made = self._made[account] = await self._new_pin(found[0])
            if not made.mailed:
                await self._submission.send(message_id=made.message_id, recipient=made.recipient, data=made.mail)
                made.mailed = True
            await self._threads.directory.run(self._repository.set_pin, user, PinState.SET, checksum=made.checksum)
        del self._made[account]
        counts.pins_made.value += 1
        event(_log, logging.INFO, "um.pin_made", account=user.account)

    async def _new_pin(self, user: o.User) -> "_MadePin":
        policy = self._config().policies.get(user.um_mailbox_policy)
        extension = self._config().extension(user)
        pin = generate(extension=extension, minimum=policy.min_pin_length if policy else GENERATED_DIGITS)
        renewed = await self._threads.directory.run(self._repository.has_pin, user)
        message_id = f"welcome-{self._ids.token(8)}"
        mail = compose.welcome(
            mailbox=user.mail,
            name=user.display_name,
            extension=extension,
            pin=pin,
            text=policy.um_enabled_text if policy else "",
            at=self._clock.at(),
            message_id=message_id,
            renewed=renewed,
        )
        checksum = await self._threads.hashing.run(self._hasher.hash, user, pin)
        return _MadePin(checksum=checksum, message_id=message_id, recipient=user.mail, mail=mail)


@dataclass(slots=True, kw_only=True)
class _MadePin:
    """A PIN that is not set yet: its hash, and the mail that holds it."""

    checksum: str
    message_id: str
    recipient: str
    mail: bytes
    mailed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A user whose PIN could not be made; ``again_at`` is on the clock of the loop."""

    tries: int
    why: str
    again_at: float


@contextlib.asynccontextmanager
async def locked(path: Path, disk: ThreadPool) -> AsyncIterator[None]:
    """Hold the lock of a file among processes; it is waited for in a thread. Who is cancelled does not get it.

    Cancelled while the file is being opened, at a server's end, its descriptor stays until the process ends: it locks nothing.
    """
    descriptor = await disk.run(_open, path)
    try:
        await disk.run(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
