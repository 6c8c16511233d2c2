"""What can stop the process."""

from tandem.core.errors import TandemError


class ProcessError(TandemError):
    """The root of this room's errors."""


class NotPermitted(ProcessError):
    """The operator holds no role that the phase asked for needs."""


class Busy(ProcessError):
    """Another apply is running."""
