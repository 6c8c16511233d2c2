"""The journal: who changed what, and when. JSON lines, only ever appended, each chained to the one before by its hash.

A line ``begun`` is written before a task's change and ``done`` after it, so that a crash between the two can be seen.

The hashes have no key. They find a line that was altered, added or taken out by accident, or by who did not make the chain
again from there on; they do not find who did, nor that the last lines were cut off. For that the hash of the last line goes
to the system's log at the end of each apply (:meth:`Journal.anchor`), which another machine may collect.
"""

import hashlib
import json
import os
import syslog
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from tandem.core.files import inherit_owner, private_folder
from tandem.process.errors import ProcessError

_START = "0" * 64
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The file of one organization."""

    path: Path

    def append(self, *, at: datetime, who: str, task: str, state: str, changes: tuple[str, ...]) -> None:
        """Write one line and sync it."""
        line: dict[str, Any] = {
            "at": at.isoformat(),
            "who": who,
            "task": task,
            "state": state,
            "changes": list(changes),
            "before": self._last_hash(),
        }
        line["hash"] = _hash(line)
        private_folder(self.path.parent)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            os.fchmod(descriptor, 0o600)  # release 0.1 let others read it
            inherit_owner(descriptor, self.path.parent)
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> list[dict[str, Any]]:
        """Every line. Raises :class:`ProcessError` where the chain is broken; a cut last line is passed over."""
        before, out = _START, []
        raw = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        for number, text in enumerate(raw, 1):
            if not text:
                continue
            try:
                line = json.loads(text)
                whole = line["before"] == before and _hash(line) == line["hash"]
            except (ValueError, KeyError, TypeError):
                if number == len(raw):
                    break  # a crash cut it
                whole = False
            if not whole:
                raise ProcessError(
                    f"{self.path}:{number}: the chain is broken: this line or the one before was altered"
                )
            before = line["hash"]
            out.append(line)
        return out

    def anchor(self, who: str) -> None:
        """Tell the system's log (facility authpriv) the hash of the last line: this journal has to hold it from now on."""
        syslog.openlog("tandem", 0, syslog.LOG_AUTHPRIV)
        syslog.syslog(syslog.LOG_NOTICE, f"journal.head file={self.path.absolute()} who={who} hash={self._last_hash()}")

    def declared(self, state: str) -> list[dict[str, Any]]:
        """The lines of one state, without a check of the chain: for declarations, which are few among many lines."""
        if not self.path.exists():
            return []
        mark = f'"state": "{state}"'.encode()
        with self.path.open("rb") as file:
            return [json.loads(line) for line in file if mark in line and line.endswith(b"\n")]

    def check_end(self) -> None:
        """Make sure that a line can be appended, before anything is changed. Raises :class:`ProcessError`."""
        self._last_hash()

    def _last_hash(self) -> str:
        """The hash of the last whole line; what a crash has cut is cut off, since nothing follows from it."""
        if not self.path.exists():
            return _START
        with self.path.open("r+b") as file:
            end = _last_break(file, file.seek(0, os.SEEK_END))
            file.truncate(end)
            if not end:
                return _START
            begin = _last_break(file, end - 1)
            file.seek(begin)
            try:
                return str(json.loads(file.read(end - begin))["hash"])
            except (ValueError, KeyError, TypeError):
                raise ProcessError(
                    f"{self.path}: the last line is no line of the journal, so the chain ends there; nothing was changed. "
                    "Move the file away to begin a new one, and keep it"
                ) from None


def _last_break(file: BinaryIO, end: int) -> int:
    """The place after the last line break before ``end``, or 0."""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _hash(line: dict[str, Any]) -> str:
    kept = {key: value for key, value in line.items() if key != "hash"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
