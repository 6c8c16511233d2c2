"""What is known of a message that was left, and of one that waits to be delivered; as values and as JSON.

A record may hold keys that this release does not know, since a later one wrote it: they are passed over, so that going back to
an older release sets no message aside.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is known of a message when its call is answered. ``mailbox`` is a mail address; ``begun_at`` ISO 8601, UTC."""

    message_id: str
    mailbox: str
    recipient_name: str
    call_id: str
    begun_at: str
    caller_number: str = ""
    caller_name: str = ""
    caller_address: str = ""
    phone_context: str = ""
    account: str = ""
    missed_call_wanted: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledMessage:
    """A closed message. ``sound`` is the file of its recording, or ``None`` if nothing was recorded (a missed call).

    ``samples`` is how much of the recording is meant (trailing silence is not), ``cut`` whether some of it is missing: the
    server died, or the disk took no more.
    """

    envelope: Envelope
    sound: Path | None
    samples: int
    ended_at: str
    cut: bool = False


_FIELDS = frozenset(field.name for field in dataclasses.fields(Envelope))


def envelope_to_json(envelope: Envelope) -> bytes:
    """An envelope as the text of a file."""
    return _json(dataclasses.asdict(envelope))


def envelope_from_json(data: bytes) -> Envelope:
    """Read an envelope. Raises :class:`ValueError` for what is none."""
    return _envelope(_object(data))


def message_to_json(message: SpooledMessage) -> bytes:
    """A message without its sound as the text of a file."""
    facts = {"samples": message.samples, "ended_at": message.ended_at, "cut": message.cut}
    return _json({"envelope": dataclasses.asdict(message.envelope), **facts})


def message_from_json(data: bytes, *, sound: Path) -> SpooledMessage:
    """Read a message whose sound, if it has any, is in that file. Raises :class:`ValueError` for what is none."""
    facts = _object(data)
    try:
        envelope, samples = facts["envelope"], int(facts["samples"])
        ended_at, cut = str(facts["ended_at"]), bool(facts["cut"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the record lacks {error}") from error
    return SpooledMessage(
        envelope=_envelope(envelope), sound=sound if samples else None, samples=samples, ended_at=ended_at, cut=cut
    )


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _object(data: bytes) -> dict[str, Any]:
    facts = json.loads(data)
    if not isinstance(facts, dict):
        raise ValueError("the file holds no object of JSON")
    return facts


def _envelope(facts: Any) -> Envelope:
    try:
        envelope = Envelope(**{name: value for name, value in facts.items() if name in _FIELDS})
        if not envelope.message_id.replace("-", "").isalnum():
            raise ValueError("the message id is no plain name")
    except (TypeError, AttributeError) as error:
        raise ValueError(f"the envelope cannot be read: {error}") from error
    return envelope
