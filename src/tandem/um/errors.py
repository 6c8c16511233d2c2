"""What can be wrong in UM, and how much of it is told."""

from collections.abc import Sequence

from tandem.core.errors import TandemError

NAMED = 5


class UmError(TandemError):
    """The root of this room's errors."""


class UnsoundMenu(UmError):
    """A menu table contradicts itself; the message names each state and what is wrong with it."""


def few_of(problems: Sequence[str]) -> str:
    """The first :data:`NAMED` of them in a line, and how many more there are; an empty text if there is none."""
    more = (f"and {len(problems) - NAMED} more",) if len(problems) > NAMED else ()
    return "; ".join((*problems[:NAMED], *more))
