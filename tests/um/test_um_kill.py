"""The short form of bench/chaos_kill.py: servers and media workers are killed under calls."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "bench" / "chaos_kill.py"


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["um", "workers"])
def test_every_caller_who_was_answered_before_a_kill_has_one_message_that_holds_what_was_said(victim: str) -> None:
    command = [sys.executable, str(PROGRAM), "--kills", "2", "--calls", "4", victim]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
