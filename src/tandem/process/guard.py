"""The guard against removing too much: a mistake in the file must not empty the directory.

A task that removes more than 5 % of a kind's objects is not carried out unless it is allowed by number.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tandem.process.task import Change, Context, Task

LIMIT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """``allowed`` is how many objects of one kind may be removed beyond the limit of 5 %."""

    allowed: int = 0

    def refusal(self, context: Context, task: Task, changes: Sequence[Change]) -> str:
        """Why a task must not be carried out, or an empty string."""
        for kind, removed in Counter(c.kind for c in changes if c.action == "-").items():
            population = max(task.population(context), removed)
            if removed > self.allowed and removed > LIMIT * population:
                share = 100 * removed / population
                return (
                    f"would remove {removed} of {population} {kind}(s) ({share:.0f} %, more than {LIMIT:.0%}): "
                    f"--allow-removals {removed} carries it out"
                )
        return ""
