"""Tables that the loop changes, read in a thread."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def listed(values: Callable[[], Iterable[T]]) -> tuple[T, ...]:
    """All that a table holds as it is now; one that changes meanwhile is listed again."""
    while True:
        try:
            return tuple(values())
        except RuntimeError:
            continue
