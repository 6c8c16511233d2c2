"""What can go wrong with a call."""

from tandem.core.errors import TandemError


class CallError(TandemError):
    """The root of this room's errors."""


class CallFailed(CallError):
    """A call that we placed was not answered; ``status`` and ``reason`` are the final response's.

    ``retry_after_s`` is what it says about a better time, if it does.
    """

    def __init__(self, status: int, reason: str, warning: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{status} {reason}" + (f" ({warning})" if warning else ""))
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class CallRefused(CallError):
    """An incoming call that could not be accepted; it has been answered with ``status``."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
