"""A plan as a file: what was seen and is to be done, with a version and a hash, to be shown, signed and handed over.

Applying it changes what it says and nothing else. A task is stale if it would by now change anything that the plan does not
say; what was done in the meantime, by the other team for instance, makes no task stale.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tandem.pki.files import write_whole
from tandem.process.errors import ProcessError
from tandem.process.plan import Plan
from tandem.process.task import Change

FORMAT = 1
_KEYS = {"tandem_plan", "organization", "file", "made_at", "operator", "tasks", "sha256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan that was read: whose organization, its file, and for each task by its id what it changes, with the details."""

    organization: str
    file: Path
    operator: str
    made_at: str
    tasks: dict[str, dict[str, frozenset[str]]]

    def stale(self, task: str, changes: Sequence[Change]) -> str:
        """Why a task must not be carried out by this plan, or an empty string."""
        said = self.tasks.get(task, {})
        unsaid = [str(c) for c in changes if c.what not in said or not said[c.what].issuperset(c.details)]
        if not unsaid:
            return ""
        more = f" and {len(unsaid) - 1} more" if len(unsaid) > 1 else ""
        return (
            f"would now change what the plan of {self.made_at[:19]}Z does not say: {unsaid[0]}{more}; make a new plan"
        )


def save(plan: Plan, path: Path, *, organization: str, file: Path, at: datetime) -> None:
    """Write a plan (the file is whole or not there)."""
    document: dict[str, Any] = {
        "tandem_plan": FORMAT,
        "organization": organization,
        "file": str(file.resolve()),
        "made_at": at.isoformat(),
        "operator": plan.operator,
        "tasks": [
            planned.as_json() | {"changes": [(c.what, *c.details) for c in planned.changes]} for planned in plan.tasks
        ],
    }
    document["sha256"] = _hash(document)
    write_whole(path, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())


def is_saved(path: Path) -> bool:
    """Whether a file looks like a saved plan rather than an organization file."""
    try:
        with path.open("rb") as file:
            return b'"tandem_plan"' in file.read(64)
    except OSError:
        return False


def load(path: Path) -> SavedPlan:
    """Read a plan. Raises :class:`ProcessError` if it is of another version, altered, or no plan at all."""
    try:
        document = json.loads(path.read_bytes())
        if document.get("tandem_plan") != FORMAT:
            raise ProcessError(f"{path} has plan format {document.get('tandem_plan')!r}; this version reads {FORMAT}")
        if set(document) != _KEYS or document["sha256"] != _hash(document):
            raise ProcessError(f"{path} was altered since it was made (its hash differs); make a new plan")
        return SavedPlan(
            organization=document["organization"],
            file=Path(document["file"]),
            operator=document["operator"],
            made_at=document["made_at"],
            tasks={task["id"]: _said(task["changes"]) for task in document["tasks"]},
        )
    except OSError as error:
        raise ProcessError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ProcessError(f"{path} is no plan that 'tandem plan --out' made") from None


def _said(changes: list[list[str]]) -> dict[str, frozenset[str]]:
    """What is changed, with all that is said of how."""
    said: dict[str, set[str]] = {}
    for what, *details in changes:
        said.setdefault(what, set()).update(details)
    return {what: frozenset(details) for what, details in said.items()}


def _hash(document: dict[str, Any]) -> str:
    kept = {key: value for key, value in document.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
