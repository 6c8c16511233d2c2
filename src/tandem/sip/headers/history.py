"""History-Info (RFC 7044): every target that a call had on its way, and so who was diverted, and why.

Each entry has an index that says whose child it is. An entry marked ``mp`` was mapped to another user from the entry whose
index it names: that entry's user was diverted, for the reason that its own URI holds. Without such marks (RFC 4244) every
entry with a reason that is not the last one counts. Reasons become those of Diversion by RFC 7544 §6. Left out: hiding of
entries by Privacy (nobody here passes them on to strangers), and ``np``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, unquote

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.address import NameAddr
from tandem.sip.headers.diversion import Diversion, Reason, diversions
from tandem.sip.headers.lenient import readable
from tandem.sip.headers.uri import URI, parse_uri
from tandem.sip.message.message import Message

_INDEX = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,15}\Z")
_CAUSE = re.compile(r"(?:^|;)\s*cause\s*=\s*(\d{3})\b", re.IGNORECASE)

REASONS: dict[int, Reason] = {
    302: Reason.UNCONDITIONAL,
    404: Reason.UNKNOWN,
    408: Reason.NO_ANSWER,
    480: Reason.DEFLECTION,
    486: Reason.USER_BUSY,
    487: Reason.DEFLECTION,
    503: Reason.UNAVAILABLE,
    600: Reason.USER_BUSY,
    603: Reason.DEFLECTION,
}
"""Causes to reasons, RFC 7544 §6.2; any other cause is ``unknown``."""
CAUSES: dict[Reason, int] = {
    Reason.UNCONDITIONAL: 302,
    Reason.NO_ANSWER: 408,
    Reason.DEFLECTION: 480,
    Reason.USER_BUSY: 486,
    Reason.UNAVAILABLE: 503,
}
"""Reasons to causes, RFC 7544 §6.1; every other reason is 404."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One target: ``cause`` is why it was left (or, by RFC 4458, reached), ``mapped_from`` the index of who was diverted."""

    uri: URI
    index: str
    cause: int | None = None
    mapped_from: str = ""

    def value(self) -> str:
        """As a header value."""
        reason = quote(f"SIP;cause={self.cause}", safe="") if self.cause else ""
        mapped = f";mp={self.mapped_from}" if self.mapped_from else ""
        return f"<{self.uri}{'?Reason=' + reason if reason else ''}>;index={self.index}{mapped}"


def history(message: Message) -> list[HistoryEntry]:
    """The entries of a message in their order; what cannot be read is passed over."""
    return [entry for text in readable(message.headers.all("History-Info")) if (entry := _entry(text)) is not None]


def diverted_in(entries: Sequence[HistoryEntry]) -> list[Diversion]:
    """Who was diverted, the latest first, as Diversion would say it."""
    known = {entry.index: entry for entry in entries}
    mapped = [(known[e.mapped_from], e) for e in entries if e.mapped_from in known]
    pairs = mapped or [(left, reached) for left, reached in pairwise(entries) if left.cause]
    return [
        Diversion(uri=left.uri, reason=REASONS.get(left.cause or reached.cause or 0, Reason.UNKNOWN))
        for left, reached in reversed(pairs)
    ]


def diverted(message: Message) -> list[Diversion]:
    """Who was diverted, the latest first: by Diversion, then by History-Info. The same diversion may be in both."""
    return [*diversions(message), *diverted_in(history(message))]


def entries_for(
    diverted: URI, reason: Reason, target: URI, *, before: Sequence[HistoryEntry] = ()
) -> list[HistoryEntry]:
    """What to add to ``before`` when a call for one user goes on to another target: who was left, and who is reached.

    Where the last entry is the user's own already, it is written again, with its reason.
    """
    kept = list(before)
    last = kept[-1] if kept else None
    if last is not None and str(last.uri) == str(diverted):
        kept.pop()
        index = last.index
    else:
        index = f"{last.index}.1" if last is not None else "1"
    mapped_from = last.mapped_from if last is not None and last.index == index else ""
    left = HistoryEntry(uri=diverted, index=index, cause=CAUSES.get(reason, 404), mapped_from=mapped_from)
    return [*kept, left, HistoryEntry(uri=target, index=f"{index}.1", mapped_from=index)]


def _entry(text: NameAddr) -> HistoryEntry | None:
    index = text.parameters.get("index") or ""
    bare, _, headers = text.uri.partition("?")
    try:
        uri = parse_uri(bare)
    except MalformedMessage:
        return None
    if not _INDEX.match(index):
        return None
    mapped = text.parameters.get("mp") or ""
    return HistoryEntry(
        uri=uri, index=index, cause=_cause(uri, headers), mapped_from=mapped if _INDEX.match(mapped) else ""
    )


def _cause(uri: URI, headers: str) -> int | None:
    pairs = (pair.partition("=") for pair in headers.split("&"))
    reasons = [unquote(value) for name, _, value in pairs if name.lower() == "reason"]
    for reason in reasons:
        if reason.lower().startswith("sip") and (match := _CAUSE.search(reason)):
            return int(match[1])
    said = uri.parameters.get("cause") or ""
    return int(said) if re.fullmatch(r"[1-6][0-9]{2}", said) else None
