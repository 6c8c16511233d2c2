"""Fresh identifiers as a value that is handed in, so that a test can repeat them."""

import secrets
import uuid
from typing import Protocol


class Ids(Protocol):
    """Makes identifiers that nobody can guess."""

    def token(self, n_bytes: int = 16) -> str:
        """Return ``n_bytes`` of randomness as lower-case hexadecimal."""
        ...

    def uuid(self) -> uuid.UUID:
        """Return a random UUID (version 4)."""
        ...


class SystemIds:
    """Identifiers from the operating system's randomness."""

    def token(self, n_bytes: int = 16) -> str:
        """See :meth:`Ids.token`."""
        return secrets.token_hex(n_bytes)

    def uuid(self) -> uuid.UUID:
        """See :meth:`Ids.uuid`."""
        return uuid.uuid4()
