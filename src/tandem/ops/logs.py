"""Where log lines go: as text, as JSON, or into systemd's journal; with a level for each room, and floods cut short.

The journal is spoken to in its own protocol (systemd's JOURNAL_NATIVE_PROTOCOL: one datagram an entry), so that each field can
be searched: ``journalctl TANDEM_CALL=a84b4c76e66710``. A warning that repeats is let through ``BURST`` times, then
once in ``PAUSE_S`` seconds with the count of those left out, and so is what strangers can bring about without a call (INFO of
the room ``sip``): a flood does not fill the disk. Left out: entries beyond the size of a datagram (they are cut),
and waiting for a journal that does not keep up (its entries are lost, and counted).
"""

import json
import logging
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tandem.core.counters import counter
from tandem.core.log import one_line, surroundings
from tandem.ops.errors import OpsError

FORMATS = ("text", "json", "journal")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
JOURNAL = Path("/run/systemd/journal/socket")
BURST, PAUSE_S = 20, 10.0
_MAX_ENTRY = 64_000
"""Bytes of an entry in the journal, below what a datagram of a Unix socket takes."""
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
_lost = counter("tandem_log_lost_total", "Entries that the journal did not take.").of()
_suppressed = counter("tandem_log_suppressed_total", "Repeated warnings that were left out of the log.", "event")


def set_up(format_: str, levels: Iterable[str] = (), *, journal: Path = JOURNAL) -> logging.Handler:
    """Send what is logged to one place, and return its handler. Raises :class:`OpsError` for what cannot be.

    ``levels`` are ``LEVEL`` for all of Tandem, or ``ROOM=LEVEL``, such as ``sip=debug``.
    """
    handler: logging.Handler
    if format_ == "journal":
        handler = JournalHandler(journal)
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter() if format_ == "json" else TextFormatter())
    handler.addFilter(FloodFilter(time.monotonic))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    tandem = logging.getLogger("tandem")
    tandem.setLevel(logging.INFO)
    for level in levels:
        _set_level(tandem, level)
    return handler


def _set_level(tandem: logging.Logger, text: str) -> None:
    room, _, level = text.rpartition("=")
    if level.lower() not in LEVELS or (room and not re.fullmatch(r"[a-z]+", room)):
        raise OpsError(
            f"--log-level {text!r}: expected [ROOM=]LEVEL, such as sip=debug; levels are {', '.join(LEVELS)}"
        )
    if room and room not in (known := _rooms()):
        raise OpsError(f"--log-level {text!r}: nothing logs as {room}; rooms are {', '.join(known)}")
    (tandem.getChild(room) if room else tandem).setLevel(LEVELS[level.lower()])


def _rooms() -> list[str]:
    """The rooms that log, of what the program has imported."""
    return sorted({name.split(".")[1] for name in logging.root.manager.loggerDict if name.startswith("tandem.")})


class TextFormatter(logging.Formatter):
    """``time level logger event key=value``: for people, and for ``grep``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line; with how many like it were left out before, and what it belongs to where it does not say so itself."""
        around = "" if hasattr(record, "event") else _tail(_around())
        return super().formatMessage(record) + around + _left_out(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``room``, ``event``, then the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """The object as one line."""
        facts: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix("tandem."),
        }
        facts |= _facts(record)
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts, ensure_ascii=True, default=str)


class JournalHandler(logging.Handler):
    """Entries for systemd's journal, with ``TANDEM_EVENT``, ``TANDEM_CALL`` and so on as fields of their own."""

    def __init__(self, path: Path = JOURNAL) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise OpsError(
                f"{path}: {error.strerror}; no systemd journal is here, use --log-format text or json"
            ) from None

    def emit(self, record: logging.LogRecord) -> None:
        """Send one entry; a journal that is away or behind must not stop calls."""
        try:
            self._socket.send(self.entry(record))
        except OSError:
            _lost.value += 1

    def entry(self, record: logging.LogRecord) -> bytes:
        """The datagram of a record."""
        message = record.getMessage() + _left_out(record)
        if record.exc_info:
            message += "\n" + logging.Formatter().formatException(record.exc_info)
        fields = {
            "MESSAGE": message,
            "PRIORITY": next((str(number) for level, number in _PRIORITIES if record.levelno >= level), "7"),
            "SYSLOG_IDENTIFIER": "tandem",
            "LOGGER": record.name,
        }
        for key, value in _facts(record).items():
            if key != "message":
                fields[f"TANDEM_{re.sub('[^A-Z0-9_]', '_', key.upper())}"] = str(value)
        return b"".join(_field(name, value) for name, value in fields.items())

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
        super().close()


class FloodFilter(logging.Filter):
    """Lets each warning through ``BURST`` times, then once in ``PAUSE_S`` seconds; after a quiet ``PAUSE_S`` it starts over."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._seen: dict[tuple[str, str], _Seen] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is let through."""
        if record.levelno < logging.WARNING and (record.levelno, record.name) != (logging.INFO, "tandem.sip"):
            return True
        name = str(getattr(record, "event", record.msg))
        now = self._now()
        seen = self._seen.setdefault((record.name, name), _Seen(last_at=now))
        if now - seen.last_at >= PAUSE_S:
            seen.passed = min(seen.passed, BURST - 1) if seen.left_out else 0
        seen.passed += 1
        if seen.passed > BURST:
            seen.left_out += 1
            _suppressed.of(name).value += 1
            return False
        seen.last_at = now
        record.__dict__["left_out"], seen.left_out = seen.left_out, 0
        return True


@dataclass(slots=True)
class _Seen:
    last_at: float
    passed: int = 0
    left_out: int = 0


def _facts(record: logging.LogRecord) -> dict[str, object]:
    """What a record says, apart: ``event`` and its fields, or the ``message`` of somebody else's logger."""
    name = getattr(record, "event", None)
    if name is None:
        return {"message": record.getMessage(), **_around()}
    facts: dict[str, object] = {"event": name, **getattr(record, "fields", {})}
    if left_out := getattr(record, "left_out", 0):
        facts["left_out"] = left_out
    return facts


def _around() -> dict[str, object]:
    return {key: value for key, value in surroundings().items() if value is not None}


def _left_out(record: logging.LogRecord) -> str:
    count = getattr(record, "left_out", 0)
    return _tail({"left_out": count}) if count else ""


def _tail(fields: Mapping[str, object]) -> str:
    return one_line("", fields) if fields else ""


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")[:_MAX_ENTRY]
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
