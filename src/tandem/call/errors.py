"""What can go wrong with a call, and how one ends."""

from enum import StrEnum

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


class Ended(StrEnum):
    """Why a leg ended."""

    REMOTE = "remote"  # the peer said BYE, or gave up before the answer
    LOCAL = "local"  # we did
    NO_ACK = "no-ack"  # our answer was never acknowledged
    UNHEARD = "unheard"  # no media came any more
    MEDIA = "media"  # what served its media died
    LAPSED = "lapsed"  # the session was not refreshed in time
    FAILED = "failed"  # the peer does not know the call any more, or cannot be agreed with
