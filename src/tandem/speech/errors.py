"""What can be wrong with speech."""

from tandem.core.errors import TandemError


class SpeechError(TandemError):
    """The root of this room's errors."""
