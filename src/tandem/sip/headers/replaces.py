"""Replaces (RFC 3891): an INVITE that takes the place of a dialog, as an attended transfer does."""

import re
from dataclasses import dataclass

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.params import with_parameters
from tandem.sip.message.message import Request

OPTION = "replaces"
_TEXT = re.compile(r"[^\s;,\"<>]{1,256}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaces:
    """The dialog that is meant, with the tags as the receiver sees them: ``to_tag`` is the receiver's own."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def of(cls, key: tuple[str, str, str]) -> "Replaces":
        """For a dialog of ours (Call-ID, our tag, the peer's): its peer is to replace it, so that the peer's tag is ``to``."""
        call_id, local, remote = key
        return cls(call_id=call_id, to_tag=remote, from_tag=local)

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the receiver's dialog."""
        return self.call_id, self.to_tag, self.from_tag

    def value(self) -> str:
        """As a header value."""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}" + (
            ";early-only" if self.early_only else ""
        )


def replaces(request: Request) -> Replaces | None:
    """What an INVITE replaces. Raises :class:`MalformedMessage` if that cannot be read, or occurs twice (§3)."""
    values = request.headers.all("Replaces")
    if not values:
        return None
    call_id, parameters = with_parameters(values[0])
    tags = parameters.get("to-tag", ""), parameters.get("from-tag", "")
    if len(values) > 1 or not all(_TEXT.match(text) for text in (call_id, *tags)):
        raise MalformedMessage("the Replaces header cannot be read, or occurs more than once")
    return Replaces(call_id=call_id, to_tag=tags[0], from_tag=tags[1], early_only="early-only" in parameters)
