"""Dialogs (RFC 3261 §12): the peer-to-peer relation that a call or a subscription makes.

An INVITE that was forked makes several: one for each To tag that a response brings, early by a provisional one, confirmed
by a 2xx. The rules are the table below: (state, input) -> next state; an input that it does not have changes nothing.
A route set that begins with a strict router (RFC 2543, no ``lr``) is written as §12.2.1.1 asks for.
"""

import contextlib
from enum import Enum, auto

from tandem.sip.errors import DialogError, MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.replaces import Replaces
from tandem.sip.message.message import Headers, Message, Request, Response

REFRESHES_TARGET = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Methods whose Contact replaces the remote target (RFC 3261 §12.2, 3311 §5.1, 6665 §4.4.1)."""
ENDS_DIALOG = frozenset({408, 481})
"""Responses to a request within a dialog that tell that the peer does not know it any more (§12.2.1.2)."""


class DialogState(Enum):
    """The states of a dialog."""

    EARLY = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class DialogInput(Enum):
    """What changes it."""

    ANSWERED = auto()  # 2xx to the request that makes it
    REFUSED = auto()  # another final response to that request, or another dialog of the same fork won
    BYE = auto()  # from either side
    GONE = auto()  # 408 or 481 to a request within it


S, I = DialogState, DialogInput  # noqa: E741 - the table is read as one
TABLE: dict[tuple[DialogState, DialogInput], DialogState] = {
    (S.EARLY, I.ANSWERED): S.CONFIRMED,
    (S.EARLY, I.REFUSED): S.TERMINATED,
    (S.EARLY, I.BYE): S.TERMINATED,
    (S.EARLY, I.GONE): S.TERMINATED,
    (S.CONFIRMED, I.BYE): S.TERMINATED,
    (S.CONFIRMED, I.GONE): S.TERMINATED,
}


class Dialog:
    """One dialog; make it with :meth:`from_uac` or :meth:`from_uas`.

    ``local`` and ``remote`` are the From and To values with their tags, ``route_set`` the Route values in sending order,
    ``target`` the remote Contact's URI, ``is_caller`` whether we sent the request that made it (we own the Call-ID).
    """

    __slots__ = (
        "call_id",
        "is_caller",
        "key",
        "local",
        "local_cseq",
        "remote",
        "remote_cseq",
        "route_set",
        "state",
        "target",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local: str,
        remote: str,
        tags: tuple[str, str],
        target: str,
        route_set: list[str],
        local_cseq: int,
        is_caller: bool,
        state: DialogState,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.key = (call_id, *tags)
        """Call-ID, local tag, remote tag: what identifies the dialog (§12)."""
        self.target = target
        self.route_set = route_set
        self.local_cseq = local_cseq
        self.remote_cseq = -1
        self.is_caller = is_caller
        self.state = state

    @classmethod
    def from_uac(cls, request: Request, response: Response) -> "Dialog":
        """The dialog that a 101-299 response with a To tag makes for the one who called (§12.1.2)."""
        target, tag = fields.contact_uri(response), fields.to_tag(response)
        if target is None or not tag:
            raise MalformedMessage("a response that makes a dialog needs a Contact and a To tag")
        return cls(
            call_id=fields.call_id(request),
            local=request.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            tags=(fields.from_tag(request), tag),
            target=target,
            route_set=fields.recorded_routes(response)[::-1],
            local_cseq=fields.cseq(request).sequence,
            is_caller=True,
            state=DialogState.EARLY if response.status < 200 else DialogState.CONFIRMED,
        )

    @classmethod
    def from_uas(cls, request: Request, *, local_tag: str, early: bool = False) -> "Dialog":
        """The dialog that we make by answering a request (§12.1.1)."""
        target = fields.contact_uri(request)
        if target is None:
            raise MalformedMessage("a request that makes a dialog needs a Contact")
        to = request.headers.get("To") or ""
        known = fields.to_tag(request)
        dialog = cls(
            call_id=fields.call_id(request),
            local=to if known else f"{to};tag={local_tag}",
            remote=request.headers.get("From") or "",
            tags=(known or local_tag, fields.from_tag(request)),
            target=target,
            route_set=fields.recorded_routes(request),
            local_cseq=0,
            is_caller=False,
            state=DialogState.EARLY if early else DialogState.CONFIRMED,
        )
        dialog.remote_cseq = fields.cseq(request).sequence
        return dialog

    @property
    def next_hop(self) -> str:
        """The URI to send to: the first route, else the target."""
        return str(fields.parse_address(self.route_set[0]).uri) if self.route_set else self.target

    def happened(self, what: DialogInput) -> None:
        """Take an input of the table."""
        self.state = TABLE.get((self.state, what), self.state)

    def confirm(self, response: Response) -> None:
        """A 2xx confirms an early dialog of ours: its route set and target are taken again (§13.2.2.4)."""
        self.happened(DialogInput.ANSWERED)
        self.route_set = fields.recorded_routes(response)[::-1]
        self.refresh_target(response)

    def request(self, method: str, *, cseq: int | None = None) -> Request:
        """A request within the dialog (§12.2.1.1); for ACK give the INVITE's ``cseq``."""
        if cseq is None:
            self.local_cseq += 1
        uri, routes = self._route()
        headers = Headers()
        for route in routes:
            headers.add("Route", route)
        headers.add("Max-Forwards", "70")
        headers.add("From", self.local)
        headers.add("To", self.remote)
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{self.local_cseq if cseq is None else cseq} {method}")
        return Request(method=method, uri=uri, headers=headers)

    def _route(self) -> tuple[str, list[str]]:
        """Request-URI and Route values: a strict router first takes the Request-URI's place, the target goes last."""
        if not self.route_set:
            return self.target, []
        first = fields.parse_address(self.route_set[0]).uri
        if "lr" in first.parameters:
            return self.target, self.route_set
        return str(first), [*self.route_set[1:], f"<{self.target}>"]

    def check(self, request: Request) -> None:
        """Accept the CSeq of a request within the dialog, or raise :class:`DialogError` (§12.2.2).

        Raises :class:`MalformedMessage` where it brings a Contact that could not be used (§12.2.2, target refresh).
        """
        number = fields.cseq(request).sequence
        # "If the remote sequence number was not empty, but the sequence number of the request is lower [...] 500"
        if number < self.remote_cseq:
            raise DialogError(f"CSeq {number} came after {self.remote_cseq}", status=500)
        self.remote_cseq = number
        if request.method in REFRESHES_TARGET:
            fields.contact_uri(request)  # before anything moves

    def refresh_target(self, message: Message) -> None:
        """Take the Contact of a target refresh request that was accepted, or of a 2xx to one of ours.

        One that cannot be read changes nothing: what was agreed on is kept, and goes to where it went before.
        """
        if fields.cseq(message).method in REFRESHES_TARGET:
            with contextlib.suppress(MalformedMessage):
                self.target = fields.contact_uri(message) or self.target


def dialog_key(request: Request) -> tuple[str, str, str]:
    """The key of the dialog that an incoming request belongs to: Call-ID, our tag (To), theirs (From)."""
    return fields.call_id(request), fields.to_tag(request), fields.from_tag(request)


def check_replaced(wanted: Replaces, dialog: Dialog | None) -> None:
    """Whether this dialog (``None``: there is none) can be replaced; raises :class:`DialogError` with the status of §3."""
    if dialog is None:
        raise DialogError("there is no dialog to be replaced", status=481)
    if dialog.state is DialogState.TERMINATED:
        raise DialogError("the dialog to be replaced has ended", status=603)
    if dialog.state is DialogState.EARLY and not dialog.is_caller:
        raise DialogError("an early dialog can be replaced by who began it only", status=481)
    if dialog.state is DialogState.CONFIRMED and wanted.early_only:
        raise DialogError("the dialog to be replaced was answered", status=486)
