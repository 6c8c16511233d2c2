"""What a call that comes or goes needs of the :class:`tandem.call.calls.Calls` that made it."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from tandem.call.leg import CallLeg
from tandem.media.session import Media
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.headers.replaces import Replaces


class CallHost(Protocol):
    """``contact`` makes our Contact for a flow, ``media`` opens media sessions."""

    endpoint: Endpoint
    media: Media
    contact: Callable[[Flow], str]

    def keep(self, leg: CallLeg) -> None:
        """Hand requests within the leg's dialog to it, until it is over."""
        ...

    def find(self, wanted: Replaces) -> CallLeg | None:
        """The leg that a Replaces header means."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that outlives its call."""
        ...
