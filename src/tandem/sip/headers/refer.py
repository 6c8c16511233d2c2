"""REFER (RFC 3515): asking the peer to call somebody, and telling how that went by NOTIFY with a piece of a SIP message.

With Referred-By (RFC 3892; its signed body is left out) and with Replaces in the target's headers (RFC 3891), which is an
attended transfer. Other headers within Refer-To are passed over: the peer that refers does not write our requests.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.address import parse_name_addr
from tandem.sip.headers.params import with_parameters
from tandem.sip.headers.replaces import Replaces, replaces
from tandem.sip.headers.uri import parse_uri
from tandem.sip.message.message import Request, is_one_line
from tandem.sip.message.names import REASONS

CONTENT_TYPE = "message/sipfrag"
EVENT = "refer"
_STATUS = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: |\r|\n|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refer:
    """Call ``uri``; ``replaces`` the dialog that the new call takes the place of, ``referred_by`` who asks, as it says."""

    uri: str
    replaces: Replaces | None = None
    referred_by: str = ""
    method: str = "INVITE"

    def headers(self) -> list[tuple[str, str]]:
        """The headers of the REFER."""
        tail = f"?Replaces={quote(self.replaces.value(), safe='')}" if self.replaces else ""
        named = [("Referred-By", self.referred_by)] if self.referred_by else []
        return [("Refer-To", f"<{self.uri}{tail}>"), *named]


def parse_refer(request: Request) -> Refer:
    """What a REFER asks for. Raises :class:`MalformedMessage` if there is not exactly one target that we speak (§2.4.1)."""
    values = [part for value in request.headers.all("Refer-To") for part in fields.split_list(value)]
    if len(values) != 1:
        raise MalformedMessage(f"{len(values)} Refer-To values; exactly one is needed")
    text, _, tail = parse_name_addr(values[0]).uri.partition("?")
    uri = parse_uri(text)
    pairs = (pair.partition("=") for pair in tail.split("&"))
    wanted = next((unquote(value) for name, _, value in pairs if name.lower() == "replaces"), None)
    method = uri.parameters.get("method") or "INVITE"
    probe = Request(method="INVITE", uri=text)
    if wanted is not None:
        if not is_one_line(wanted):
            raise MalformedMessage("the Replaces in Refer-To holds a control character")
        probe.headers.add("Replaces", wanted)
    return Refer(
        uri=text, replaces=replaces(probe), referred_by=request.headers.get("Referred-By") or "", method=method.upper()
    )


def fragment(status: int, reason: str = "") -> bytes:
    """The body of a NOTIFY: the state of the call that was asked for."""
    return f"SIP/2.0 {status} {reason or REASONS.get(status, 'Unknown')}\r\n".encode()


def parse_fragment(body: bytes) -> int:
    """The status that a NOTIFY tells."""
    match = _STATUS.match(body.lstrip(b"\r\n"))
    if match is None:
        raise MalformedMessage("the body of the NOTIFY is no status line")
    return int(match[1])


def event_id(request: Request) -> int | None:
    """The ``id`` of ``Event: refer``: the CSeq of the REFER that it belongs to; ``None``: the first one's."""
    text = with_parameters(request.headers.get("Event") or "")[1].get("id", "")
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else None
