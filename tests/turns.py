"""How much an event loop does in each of its turns: the work is counted, not the time, which a busy machine changes."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Turns:
    """``worst`` is the most calls of functions, in Python and in C, within one turn."""

    worst: int = 0
    count: int = 0


@contextmanager
def counted(loop: asyncio.AbstractEventLoop) -> Iterator[Turns]:
    """Count what the loop that runs here does from its next turn on. Other threads are not counted."""
    turns, calls = Turns(), 0
    private: Any = loop  # asyncio tells nobody of its turns
    run_once = private._run_once

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    def turn() -> None:
        nonlocal calls
        calls = 0
        run_once()
        turns.count += 1
        turns.worst = max(turns.worst, calls)

    private._run_once = turn
    sys.setprofile(profile)
    try:
        yield turns
    finally:
        sys.setprofile(None)
        del private._run_once
