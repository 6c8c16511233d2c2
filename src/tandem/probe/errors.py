"""What a synthetic phone can meet."""

from tandem.core.errors import TandemError


class PhoneError(TandemError):
    """The root of this room's errors."""
