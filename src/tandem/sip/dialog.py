"""Dialogs (RFC 3261 §12): the peer-to-peer relation that a call or a subscription makes.

Left out: forking into several dialogs (the user makes one dialog per To tag) and strict routing towards RFC 2543 proxies.
"""

from tandem.sip import fields
from tandem.sip.errors import DialogError, MalformedMessage
from tandem.sip.message import Headers, Request, Response


class Dialog:
    """One dialog; make it with :meth:`from_uac` or :meth:`from_uas`.

    ``local`` and ``remote`` are the From and To values with their tags, ``route_set`` the Route values in sending order,
    ``target`` the remote Contact's URI.
    """

    def __init__(
        self, *, call_id: str, local: str, remote: str, target: str, route_set: list[str], local_cseq: int
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.target = target
        self.route_set = route_set
        self.local_cseq = local_cseq
        self.remote_cseq = -1

    @classmethod
    def from_uac(cls, request: Request, response: Response) -> "Dialog":
        """The dialog that a 101-299 response with a To tag makes for the one who called (§12.1.2)."""
        target = fields.contact_uri(response)
        if target is None or not fields.to_tag(response):
            raise MalformedMessage("a response that makes a dialog needs a Contact and a To tag")
        return cls(
            call_id=fields.call_id(request),
            local=request.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            target=target,
            route_set=fields.recorded_routes(response)[::-1],
            local_cseq=fields.cseq(request).sequence,
        )

    @classmethod
    def from_uas(cls, request: Request, *, local_tag: str) -> "Dialog":
        """The dialog that we make by answering a request (§12.1.1)."""
        target = fields.contact_uri(request)
        if target is None:
            raise MalformedMessage("a request that makes a dialog needs a Contact")
        to = request.headers.get("To") or ""
        dialog = cls(
            call_id=fields.call_id(request),
            local=to if fields.to_tag(request) else f"{to};tag={local_tag}",
            remote=request.headers.get("From") or "",
            target=target,
            route_set=fields.recorded_routes(request),
            local_cseq=0,
        )
        dialog.remote_cseq = fields.cseq(request).sequence
        return dialog

    @property
    def key(self) -> tuple[str, str, str]:
        """Call-ID, local tag, remote tag: what identifies the dialog (§12)."""
        return self.call_id, fields.parse_name_addr(self.local).tag, fields.parse_name_addr(self.remote).tag

    @property
    def next_hop(self) -> str:
        """The URI to send to: the first route, else the target."""
        return str(fields.parse_address(self.route_set[0]).uri) if self.route_set else self.target

    def request(self, method: str, *, cseq: int | None = None) -> Request:
        """A request within the dialog (§12.2.1.1); for ACK give the INVITE's ``cseq``."""
        if cseq is None:
            self.local_cseq += 1
        headers = Headers()
        for route in self.route_set:
            headers.add("Route", route)
        headers.add("Max-Forwards", "70")
        headers.add("From", self.local)
        headers.add("To", self.remote)
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{self.local_cseq if cseq is None else cseq} {method}")
        return Request(method=method, uri=self.target, headers=headers)

    def check(self, request: Request) -> None:
        """Accept a request within the dialog, or raise :class:`DialogError` (§12.2.2); refreshes the target."""
        number = fields.cseq(request).sequence
        if request.method != "ACK":
            if number < self.remote_cseq:
                raise DialogError(f"CSeq {number} came after {self.remote_cseq}", status=500)
            self.remote_cseq = number
        if request.method in ("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"):
            self.target = fields.contact_uri(request) or self.target


def dialog_key(request: Request) -> tuple[str, str, str]:
    """The key of the dialog that an incoming request belongs to: Call-ID, our tag (To), theirs (From)."""
    return fields.call_id(request), fields.to_tag(request), fields.from_tag(request)
