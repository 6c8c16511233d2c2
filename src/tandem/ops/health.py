"""Whether a server can take calls: named checks, each of which says what is wrong, or nothing.

``/readyz`` asks them all. A balancer takes a server out while one fails; that is no reason to end it, so ``/healthz`` asks
only whether the process still answers at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Check = Callable[[], str]
"""Returns what is wrong, as a text for people; an empty one if nothing is. May take a moment: it runs in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What came of the checks: each by its name, with what is wrong or an empty text."""

    checks: Mapping[str, str]
    notices: Mapping[str, str] = field(default_factory=dict)
    """What does not count for readiness: only what there is to say, by its name."""

    @property
    def ready(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.checks.values())

    def facts(self) -> dict[str, object]:
        """As a body in JSON."""
        said = {"notices": dict(self.notices)} if self.notices else {}
        return {"ready": self.ready, "checks": {name: wrong or "ok" for name, wrong in self.checks.items()}, **said}


def examine(checks: Mapping[str, Check], notices: Mapping[str, Check] | None = None) -> Health:
    """Run all checks. One that raises counts as failing."""
    said = {name: _ask(check) for name, check in (notices or {}).items()}
    return Health(
        checks={name: _ask(check) for name, check in checks.items()},
        notices={name: notice for name, notice in said.items() if notice},
    )


def _ask(check: Check) -> str:
    try:
        return check()
    except Exception as error:  # whatever a check raises is what is wrong
        return f"{type(error).__name__}: {error}"
