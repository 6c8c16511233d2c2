"""PINs: made for users who have none yet, kept only as a hash, mailed to their owner.

The hash is Argon2id over an HMAC-SHA256 with a key from a file, so that a copy of the directory alone serves no guessing.
Rules as in UMMailboxPolicy: length, no sequence, no single digit, nothing that holds or is in the extension.
"""

import hashlib
import hmac
import itertools
import os
import secrets
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

PENDING, MAILING, SET = "pending", "mailing", "set"
"""States of a PIN: to be made; made, and its mail may not be there yet; made and mailed."""
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
    """Hashes and checks PINs with the key in a file, which is made (mode 600) when it is not there."""

    def __init__(self, key_file: Path) -> None:
        if not key_file.exists():
            key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
        self._key = key_file.read_bytes()

    def hash(self, account: str, pin: str) -> str:
        """What is kept of a PIN."""
        return _HASHER.hash(self._keyed(account, pin))

    def verify(self, account: str, pin: str, kept: str) -> bool:
        """Whether this is the PIN."""
        try:
            return _HASHER.verify(kept, self._keyed(account, pin))
        except VerificationError:
            return False

    def _keyed(self, account: str, pin: str) -> bytes:
        return hmac.new(self._key, f"{account.lower()}:{pin}".encode(), hashlib.sha256).digest()
