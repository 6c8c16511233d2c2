"""Evidence that a step of the runbook was carried out: the result file that its script leaves, and the transcript beside it.

A result is JSON of strings: the step and the digest of its text, forest, shell, host, user, start, end, outcome, and the
SHA-256 of the transcript. Its last member is the SHA-256 of all bytes before the text ``,"sha256"``, as of an observation
(docs/observation.md). That finds accidents, not forgery: it has no key. What is taken is kept below ``state/evidence``,
named by its SHA-256, and the journal names it.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tandem.pki.files import write_whole
from tandem.process.errors import ProcessError

FORMAT, VERSION = "tandem-evidence", 1
MOST_BYTES = 1 << 16
MOST_TRANSCRIPT_BYTES = 1 << 26
DONE = "done"
EVIDENCE, FORCED = "evidence ", "forced: "
"""How a confirmation's further entries in the journal begin."""
_AHEAD = timedelta(minutes=10)
"""How far the clock of a host may be ahead."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_END = re.compile(rb',"sha256":"([0-9a-f]{64})"}\s*\Z')
_TEXTS = ("step", "digest", "forest", "shell", "host", "user", "outcome", "message", "transcript", "transcript_sha256")
_NEEDED = ("step", "digest", "forest", "host", "user", "outcome")


class EvidenceRefused(ProcessError):
    """A result file cannot be used: it is not one, it was altered, or it is of something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One result file. ``started`` and ``ended`` are UTC; ``transcript`` is the name of the file beside it, or empty."""

    step: str
    digest: str
    forest: str
    shell: str
    host: str
    user: str
    started: datetime
    ended: datetime
    outcome: str
    message: str
    transcript: str
    transcript_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A result with the bytes that it was read from, and its transcript's, if that lay beside it."""

    name: str
    result: StepResult
    data: bytes
    transcript: bytes | None

    @property
    def sha256(self) -> str:
        """Of the result file, in hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def load_evidence(path: Path) -> Evidence:
    """A result file, and the transcript of the name that it gives if one lies beside it.

    Raises:
        EvidenceRefused: it cannot be read, is no result, or the transcript is another one.
    """
    data = _bytes_of(path, MOST_BYTES).removeprefix(codecs.BOM_UTF8)  # an editor adds it
    try:
        result = read_result(data)
    except EvidenceRefused as error:
        raise EvidenceRefused(f"{path}: {error}. Nothing was kept.") from None
    transcript = None
    beside = path.with_name(result.transcript) if result.transcript else None
    if beside is not None and beside.is_file():
        transcript = _bytes_of(beside, MOST_TRANSCRIPT_BYTES)
        if hashlib.sha256(transcript).hexdigest() != result.transcript_sha256:
            raise EvidenceRefused(f"{beside} is not the transcript of {path.name}: it was altered. Nothing was kept.")
    return Evidence(name=path.name, result=result, data=data, transcript=transcript)


def _bytes_of(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise EvidenceRefused(f"{path}: {error.strerror}. Nothing was kept.") from None
    if len(data) > most:
        raise EvidenceRefused(f"{path}: more than {most} bytes: no script writes so much. Nothing was kept.")
    return data


def read_result(data: bytes) -> StepResult:
    """A result from the bytes of its file. Raises :class:`EvidenceRefused`, which says what was found and what was expected."""
    members = _members(data)
    found = _END.search(data)
    if found is None:
        raise EvidenceRefused('expected to end with a member "sha256" of 64 hexadecimal digits')
    if hashlib.sha256(data[: found.start()]).hexdigest() != found[1].decode():
        raise EvidenceRefused("the SHA-256 at its end is not that of its text: it was altered")
    texts = {name: _text(members, name) for name in _TEXTS}
    if missing := next((name for name in _NEEDED if not texts[name]), None):
        raise EvidenceRefused(f"{missing}: expected a text, found none")
    _check_transcript(texts)
    started, ended = _time(members, "started"), _time(members, "ended")
    if ended < started:
        raise EvidenceRefused(f"ended {members['ended']} is before started {members['started']}")
    return StepResult(started=started, ended=ended, **texts)


def _members(data: bytes) -> dict[str, Any]:
    try:
        members = json.loads(data.decode("ascii"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise EvidenceRefused("expected the JSON that a script of the runbook writes") from None
    if not isinstance(members, dict) or members.get("format") != FORMAT:
        raise EvidenceRefused(f"expected a result of a runbook step (format {FORMAT})")
    if members.get("version") != VERSION or isinstance(members["version"], bool):
        raise EvidenceRefused(f"version: found {members.get('version')!r:.40}, expected {VERSION}")
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, none of whose names is there twice: which one counts would be a matter of the reader."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise EvidenceRefused(f"{name}: expected a text, found {value!r:.40}")
    if name != "message" and any(not char.isprintable() for char in value):
        raise EvidenceRefused(f"{name}: {value!r:.60} holds a control character")
    return value


def _time(members: Mapping[str, Any], name: str) -> datetime:
    value = members.get(name)
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise EvidenceRefused(f"{name}: found {value!r:.40}, expected a time such as 2026-11-28T09:00:00Z")


def _check_transcript(texts: Mapping[str, str]) -> None:
    """A name without a path: what lies beside the result, and nothing else."""
    name, digest = texts["transcript"], texts["transcript_sha256"]
    if bool(name) != bool(digest):
        raise EvidenceRefused("transcript and transcript_sha256: expected both or none")
    if name and (not re.fullmatch(r"[A-Za-z0-9._-]+\.txt", name, re.ASCII) or not _HASH.fullmatch(digest)):
        raise EvidenceRefused(f"transcript: {name!r:.60} is not a file's name as a script writes it, with its SHA-256")


def one_line(text: str, most: int = 500) -> str:
    """A text from outside as it may stand in a message: on one line, without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]


def problems(evidence: Evidence, *, digest: str, forest: str, now: datetime) -> Iterator[str]:
    """Why a result does not prove a step: ``digest`` and ``forest`` are the step's."""
    result = evidence.result
    if result.forest.lower() != forest.lower():
        yield f"it is of {result.forest}, expected {forest}"
    if result.digest != digest:
        yield f"it is of another text of the step (digest {result.digest}, expected {digest}): write and run the script again"
    if result.outcome != DONE:
        yield f"the step's outcome there is {result.outcome!r}, expected {DONE!r}: {one_line(result.message)}"
    if result.ended > now + _AHEAD:
        yield f"it ended at {result.ended:%Y-%m-%d %H:%M} UTC, which is yet to come: check the clock of {result.host}"


def keep(evidence: Evidence, state: Path) -> None:
    """Keep the bytes of a result and of its transcript, each named by its SHA-256."""
    folder = state / "evidence"
    write_whole(folder / f"{evidence.sha256}.json", evidence.data, secret=True)
    if evidence.transcript is not None:
        name = f"{evidence.result.transcript_sha256}.txt"
        write_whole(folder / name, evidence.transcript, secret=True)
