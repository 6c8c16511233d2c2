"""Identifiers that repeat from run to run."""

import random
import uuid


class SeededIds:
    """A :class:`tandem.core.ids.Ids` whose sequence is fixed by its seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable by intent, in tests only

    def token(self, n_bytes: int = 16) -> str:
        """Return ``n_bytes`` as hexadecimal."""
        return self._random.randbytes(n_bytes).hex()

    def uuid(self) -> uuid.UUID:
        """Return a version 4 UUID."""
        return uuid.UUID(bytes=self._random.randbytes(16), version=4)
