"""Replaces (RFC 3891): an INVITE that takes the place of a dialog, as an attended transfer does."""

import re
from dataclasses import dataclass

from tandem.sip.errors import DialogError, MalformedMessage
from tandem.sip.headers.params import with_parameters
from tandem.sip.machines.dialog import Dialog, DialogState
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
    def of(cls, dialog: Dialog) -> "Replaces":
        """For a dialog of ours: its peer is to replace it, so that its peer's tag is ``to``."""
        call_id, local, remote = dialog.key
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
    """What an INVITE replaces. Raises :class:`MalformedMessage` if that cannot be read, or stands twice (§3)."""
    values = request.headers.all("Replaces")
    if not values:
        return None
    call_id, parameters = with_parameters(values[0])
    tags = parameters.get("to-tag", ""), parameters.get("from-tag", "")
    if len(values) > 1 or not all(_TEXT.match(text) for text in (call_id, *tags)):
        raise MalformedMessage("the Replaces header cannot be read, or stands more than once")
    return Replaces(call_id=call_id, to_tag=tags[0], from_tag=tags[1], early_only="early-only" in parameters)


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
