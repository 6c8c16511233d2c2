"""What can be wrong with keys and certificates."""

from tandem.core.errors import TandemError


class PkiError(TandemError):
    """The root of this room's errors; the message names the file and what to do."""
