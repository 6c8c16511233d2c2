"""Looking at calls in the trace: the list of recent ones, and one call's messages.

Every look is written to ``state/trace/access.jsonl`` first; where that cannot be, nothing is shown.
"""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tandem.core.errors import TandemError
from tandem.ops.trace.calls import Call, Line, calls, ladder
from tandem.ops.trace.hep import Collector
from tandem.ops.trace.pcap import pcap
from tandem.ops.trace.record import Record, call_id_of
from tandem.ops.trace.ring import read
from tandem.process.journal import Journal


class NoTrace(TandemError):
    """There is nothing to show; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCalls:
    """Recent calls, oldest first."""

    calls: tuple[Call, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """What ``tandem trace --list --json`` prints."""
        return [
            {
                "call_id": call.call_id,
                "begun_at": datetime.fromtimestamp(call.begun_at, UTC).isoformat(timespec="milliseconds"),
                "method": call.method,
                "from": call.from_,
                "to": call.to,
                "status": call.status or None,
                "talked_s": round(call.talked_s, 3),
                "messages": call.messages,
                "servers": sorted(call.servers),
            }
            for call in self.calls
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedMessages:
    """One call, and its messages as they were kept, with secrets masked."""

    call: Call
    records: tuple[Record, ...]

    @property
    def lines(self) -> Sequence[Line]:
        """The lines of the call's ladder."""
        return ladder(self.records)

    def to_json(self, *, full: bool = False) -> list[dict[str, Any]]:
        """What ``tandem trace CALL_ID --json`` prints; with ``full`` the messages themselves, too."""
        return [_facts(line, full=full) for line in self.lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accesses:
    """Who has looked at which call."""

    lines: tuple[dict[str, Any], ...]

    def to_json(self) -> list[dict[str, Any]]:
        """What ``tandem trace --access --json`` prints."""
        return list(self.lines)


def accesses(home: Path) -> Accesses:
    """Who has looked at which call, oldest first."""
    return Accesses(lines=tuple(_access_journal(home).lines()))


def recent_calls(home: Path, *, about: str = "", every_method: bool = False, limit: int = 30) -> TracedCalls:
    """The last calls of the servers of ``home``.

    Args:
        home: the folder with ``state``.
        about: only calls with this text in From, To or Call-ID.
        every_method: also registrations, OPTIONS and notifications.
        limit: how many at the most.

    Raises:
        NoTrace: the look cannot be written down.
    """
    _write_down(home, "trace --list")
    found = [
        call
        for call in calls(read(_folder(home)))
        if (every_method or call.method == "INVITE") and call.is_about(about)
    ]
    return TracedCalls(calls=tuple(found[-limit:]))


def call_messages(home: Path, call_id: str) -> TracedMessages:
    """The messages of a call, by its Call-ID or the beginning of it.

    Raises:
        NoTrace: there is no such call, several begin so, or the look cannot be written down.
    """
    records = _of_call(_folder(home), call_id)
    _write_down(home, f"trace {call_id_of(records[0].data)}")
    (call,) = calls(records)
    return TracedMessages(call=call, records=tuple(records))


def write_pcap(traced: TracedMessages, path: Path) -> None:
    """Write a call for Wireshark; only the owner can read the file. Raises :class:`NoTrace`."""
    try:
        with open(path, "wb", opener=_private) as file:
            file.writelines(pcap(sorted(traced.records, key=lambda record: record.at)))
    except OSError as error:
        raise NoTrace(f"{path}: {error.strerror}") from None


def send_hep(traced: TracedMessages, collector: tuple[str, int]) -> None:
    """Send a call to a collector by HEP 3 over UDP. Raises :class:`NoTrace`."""
    to = Collector(*collector)
    try:
        for record in traced.records:
            to(record)
    except OSError as error:
        raise NoTrace(
            f"{collector[0]}:{collector[1]}: {error.strerror}; does a collector listen there (UDP)?"
        ) from None
    finally:
        to.close()


def _folder(home: Path) -> Path:
    return home / "state" / "trace"


def _access_journal(home: Path) -> Journal:
    return Journal(path=_folder(home) / "access.jsonl")


def _of_call(folder: Path, asked: str) -> list[Record]:
    """The messages of one call, by its Call-ID or by how that begins."""
    found: dict[str, list[Record]] = {}
    for record in read(folder, about=asked):
        if (call_id := call_id_of(record.data)).startswith(asked):
            found.setdefault(call_id, []).append(record)
    if asked in found:
        return found[asked]
    if len(found) > 1:
        raise NoTrace(f"{len(found)} calls begin with {asked!r}: {', '.join(sorted(found)[:5])}; give more of it")
    if not found:
        raise NoTrace(
            f"{folder} holds no message of a call {asked!r}; it is older than the trace reaches back, "
            "or its server keeps none (--trace-mb 0); --list shows what there is"
        )
    return next(iter(found.values()))


def _write_down(home: Path, what: str) -> None:
    """Record who looks, before anything is shown. Raises :class:`NoTrace` where that cannot be."""
    journal = _access_journal(home)
    user = pwd.getpwuid(os.getuid()).pw_name
    behind = os.environ.get("SUDO_USER", "")
    who = f"{user} ({behind})" if behind and behind != user else user
    try:
        journal.append(at=datetime.now(UTC), who=who, task=what, state="read", changes=())
    except OSError as error:
        raise NoTrace(
            f"{journal.path} cannot be written ({error.strerror}), and every access must be logged there first; "
            "run this as the servers' user or as root"
        ) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _facts(line: Line, *, full: bool) -> dict[str, Any]:
    record = line.record
    facts = {
        "at": datetime.fromtimestamp(record.at, UTC).isoformat(timespec="microseconds"),
        "server": record.server,
        "sent": record.sent,
        "transport": record.transport,
        "source": line.source,
        "target": line.target,
        "source_address": f"{record.source[0]}:{record.source[1]}",
        "target_address": f"{record.target[0]}:{record.target[1]}",
        "method": line.method,
        "status": line.status or None,
        "text": line.text,
        "media": line.media or None,
        "again": line.again,
    }
    return {**facts, "message": record.data.decode("utf-8", "replace")} if full else facts
