"""What can be wrong in SIP: remote (the wire), local (our own request was illegal)."""

from tandem.core.errors import TandemError


class SipError(TandemError):
    """The root of this room's errors."""


class MalformedMessage(SipError):
    """What came off the wire is not SIP. ``status`` is what a request of this kind is answered with (400, 413, 505)."""

    def __init__(self, why: str, *, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class IllegalHeader(SipError):
    """We were asked to send a header whose name or value could not be sent as one line."""


class SdpError(MalformedMessage):
    """A session description that cannot be read, or the body that it is in (400)."""


class IncompatibleMedia(SipError):
    """A readable offer that we cannot accept (488); the message is the text of the Warning header."""


class DialogError(SipError):
    """A request that cannot be served now; ``status`` is the answer, ``headers`` are part of it."""

    def __init__(self, why: str, *, status: int = 481, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers


class OutOfTurn(SipError):
    """We were asked to send what the state of the dialog forbids: an offer while another one waits, say."""
