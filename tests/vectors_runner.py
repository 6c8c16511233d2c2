"""Runs a case of tests/vectors/process: an organization and a directory before; tasks, refusals and warnings after.

A case is a YAML file. ``rule`` says which line of the process it covers. ``base`` names a file in ``base/``, ``change`` what
is different in it (a dotted path to a value; ``+`` appends to a list, null removes). ``before`` brings the directory into its
state, ``then`` changes the file afterwards. ``as`` is the operator, ``show`` the phases whose tasks are compared.
``act`` applies instead, with what it is to do and refuse. ``expect`` holds what has to come of it, exactly.

    python tests/vectors_runner.py CASE...     writes what comes into ``expect``: to be read before it is kept
"""

import copy
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from tandem.core.clock import SystemClock
from tandem.core.errors import TandemError
from tandem.core.ids import SystemIds
from tandem.directory.dn import DN
from tandem.directory.port import FULL_CONTROL, Ace
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.errors import Severity
from tandem.org.load import load_organization, require_organization
from tandem.process.agreement import confirm
from tandem.process.apply import apply
from tandem.process.bootstrap import create_directory, open_context
from tandem.process.guard import Guard
from tandem.process.passwords import kept_password
from tandem.process.phases import find_phase
from tandem.process.plan import Status, make_plan
from tandem.process.roles import requirement_text
from tandem.process.task import Context

CASES = Path(__file__).parent / "vectors" / "process"


USERS = DN.parse("CN=Users,DC=example,DC=com")
BLOCKED = tuple(
    Ace(principal=USERS.child("CN", name), rights=FULL_CONTROL) for name in ("Domain Admins", "Enterprise Admins")
)
"""What stands on an OU whose inheritance is blocked: the directory administrators' rights alone."""


class Case:
    """One case, run in a folder of its own. ``templates`` keeps bases that were applied, for all cases."""

    def __init__(self, path: Path, folder: Path, templates: Path) -> None:
        self.data = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.folder = folder
        self.templates = templates
        base = CASES / "base" / f"{self.data.get('base', 'single')}.yaml"
        self.organization = yaml.safe_load(base.read_text(encoding="utf-8"))

    def run(self) -> dict[str, Any]:
        """What came of it."""
        before = list(self.data.get("before", []))
        if before[:1] == ["applied"] and not self.data.get("change"):
            self._from_template()
            before = before[1:]
        else:
            self._change(self.data.get("change"))
        findings = load_organization(self.file).findings
        found: dict[str, Any] = {}
        for severity in (Severity.ERROR, Severity.WARNING):
            if said := [f"{f.key}: {f.found}; expected {f.expected}" for f in findings if f.severity is severity]:
                found[f"{severity}s"] = said
        if "errors" in found:
            return found
        if not (self.folder / "state" / "directory.db").exists():
            create_directory(require_organization(self.file), SystemIds())
        for step in before:
            self._before(step)
        if self.data.get("then"):
            self._change(self.data["then"])
            create_directory(require_organization(self.file), SystemIds())
        if "act" in self.data:
            found["act"] = self._act(self.data["act"])
        if "show" in self.data:
            found["tasks"] = self._tasks()
        if self.data.get("converges", True):
            self._converge()
        return found

    @property
    def file(self) -> Path:
        """The organization file."""
        return self.folder / "organization.yaml"

    def _from_template(self) -> None:
        """A base that was applied as it stands: made once, copied for each case."""
        template = self.templates / str(self.data.get("base", "single"))
        if not template.exists():
            folder, self.folder = self.folder, template
            template.mkdir(parents=True)
            self._change(None)
            create_directory(require_organization(self.file), SystemIds())
            self._before("applied")
            self.folder = folder
        shutil.copytree(template, self.folder, dirs_exist_ok=True)

    def _change(self, changes: dict[str, Any] | None) -> None:
        for path, value in (changes or {}).items():
            set_at(self.organization, path.split("."), value)
        self.file.write_text(yaml.safe_dump(self.organization, sort_keys=False), encoding="utf-8")

    def context(self, account: str = "administrator") -> Context:
        """The directory as an operator may use it."""
        organization = require_organization(self.file)
        password = kept_password(organization, account)
        return open_context(organization, clock=SystemClock(), ids=SystemIds(), account=account, password=password)

    def _before(self, step: Any) -> None:
        match step:
            case "applied":
                self._converge()
            case {"apply": phase}:
                apply(self.context(step.get("as", "administrator")), only=find_phase(str(phase)))
            case {"confirm": ids}:
                confirm(self.context(step.get("as", "administrator")), ids, force=step.get("force", ""))
            case {"edit": dn, **attributes}:
                values = {k: v if isinstance(v, list) else [v] for k, v in attributes.items()}
                self._owner(lambda session: session.replace(DN.parse(dn), values))
            case {"add": dn, **attributes}:
                protected = bool(attributes.pop("protected", False))
                values = {k: v if isinstance(v, list) else [v] for k, v in attributes.items()}
                aces = BLOCKED if protected else ()
                self._owner(lambda session: session.add(DN.parse(dn), values, aces=aces, protected=protected))
            case {"delete": dn}:
                self._owner(lambda session: session.delete(DN.parse(dn)))
            case {"revoke": dn}:
                self._owner(lambda session: session.revoke(DN.parse(dn), session.aces(DN.parse(dn))[:1]))
            case {"remove": path}:
                shutil.rmtree(self.folder / path)
            case {"copy": [source, target]}:
                shutil.copytree(self.folder / source, self.folder / target, dirs_exist_ok=True)
            case _:
                raise ValueError(f"unknown step {step}")

    def _owner(self, work: Any) -> None:
        session = EmbeddedDirectory(self.folder / "state" / "directory.db").trusted()
        work(session)
        session.close()

    def _act(self, act: dict[str, Any]) -> dict[str, Any]:
        context = self.context(act.get("as", "administrator"))
        try:
            if "confirm" in act:
                warnings = confirm(context, act["confirm"], force=act.get("force", ""))
                return {"confirmed": act["confirm"]} | ({"warnings": list(warnings)} if warnings else {})
            only = find_phase(str(act["phase"])) if "phase" in act else None
            applied = apply(context, only=only, target=act.get("target", ""), guard=Guard(allowed=act.get("allow", 0)))
        except TandemError as error:
            return {"error": str(error)}
        out: dict[str, Any] = {"done": list(applied.done)}
        if applied.refused:
            out["refused"] = applied.refused
        if applied.plan.todo:
            out["remain"] = [f"{p.task.id} {p.status}" for p in applied.plan.todo]
        return out

    def _tasks(self) -> list[str]:
        phases = {find_phase(str(number)) for number in self.data["show"]}
        plan = make_plan(self.context(self.data.get("as", "administrator")))
        lines = []
        for planned in plan.tasks:
            if planned.task.phase in phases:
                mine = "" if planned.permitted else ", not permitted"
                holders = ", ".join(planned.holders) or "nobody"
                roles = requirement_text(planned.task.required)
                lines.append(f"{planned.task.id} [{planned.status}{mine}] {planned.task.side}: {roles} ({holders})")
                lines += [
                    f"  {note}"
                    for note in (planned.reason, planned.advice)
                    if note and planned.status is not Status.DONE
                ]
                lines += [f"  {change}" for change in planned.changes]
        return lines

    def _converge(self) -> None:
        """Everything is applied, runbook steps are confirmed, and a second plan is empty."""
        for _ in range(20):
            context = self.context()
            plan = apply(context, guard=Guard(allowed=1_000_000)).plan
            by_hand = [p.task.id for p in plan.todo if p.status is Status.BY_HAND]
            if not by_hand:
                break
            confirm(context, by_hand)
        left = [f"{p.task.id} {p.status} {p.reason}" for p in make_plan(self.context()).todo]
        assert not left, left


def set_at(tree: Any, path: list[str], value: Any) -> None:
    """Set what a dotted path names; ``+`` appends, null removes."""
    key: Any = int(path[0]) if isinstance(tree, list) and path[0].isdigit() else path[0]
    if len(path) > 1:
        if isinstance(tree, dict) and key not in tree:
            tree[key] = []
        set_at(tree[key], path[1:], value)
    elif key == "+":
        tree.append(copy.deepcopy(value))
    elif value is None:
        del tree[key]
    else:
        tree[key] = copy.deepcopy(value)


def cases() -> list[Path]:
    """Every case."""
    return sorted(CASES.glob("*.yaml"))


def main() -> None:
    """Write what comes of cases into them."""
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        for at, name in enumerate(sys.argv[1:]):
            path = Path(name)
            folder = Path(temporary) / str(at)
            folder.mkdir()
            text = path.read_text(encoding="utf-8").partition("\nexpect:")[0].rstrip() + "\n"
            path.write_text(text, encoding="utf-8")
            try:
                found = Case(path, folder, Path(temporary) / "templates").run()
            except Exception as error:
                print(f"{path.stem}: {type(error).__name__}: {error}")
                continue
            dumped = yaml.safe_dump({"expect": found}, sort_keys=False, allow_unicode=True, width=1000)
            path.write_text(text + dumped, encoding="utf-8")


if __name__ == "__main__":
    main()
