"""Commands as help texts and pages print them, and a small shell that runs them in this process."""

import inspect
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import click
from click.testing import CliRunner

from tandem.cli.main import COMMANDS, tandem

_EXAMPLES = re.compile(
    r"\x08\n(Examples?\b[^\n]*:|An organization, from a file to an answered call:)\n(.*?)(?:\n\n|\Z)", re.DOTALL
)
_SHOWN_TO_OTHERS = re.compile(r"(?:\|\||&&|\|) (?:mail|jq) .*")
"""What the shell makes of the output, by programs that are not ours."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One line that was run."""

    line: str
    exit_code: int
    output: str


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its path, groups too."""
    context = click.Context(tandem, info_name="tandem")
    yield "tandem --help", tandem

    def below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield path, command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from below(f"{path} {name}", found)

    for name in COMMANDS:
        found = tandem.get_command(context, name)
        assert found is not None
        yield from below(f"tandem {name}", found)


def examples(command: click.Command) -> list[str]:
    """The example lines of a command's help."""
    found = _EXAMPLES.search(inspect.cleandoc(command.help or ""))
    return lines(found[2]) if found else []


def lines(block: str) -> list[str]:
    """A block's lines without comments, continued ones joined."""
    joined = re.sub(r"\\\n\s*", "", block)
    words = (re.sub(r"(^|\s+)# .*", "", line).strip() for line in joined.splitlines())
    return [line for line in words if line]


def run(line: str, folder: Path) -> Ran:
    """Run one line as the shell would: ``tandem`` in this process, ``cp``, output into a file, ``|| test $? = N``."""
    whole, _, expected = _SHOWN_TO_OTHERS.sub("", line).partition("|| test $? = ")
    words = shlex.split(whole)
    target = None
    if ">" in words:
        words, target = words[: words.index(">")], words[words.index(">") + 1]
    with chdir(folder):
        if words[0] == "cp":
            shutil.copy(words[1], words[2])
            return Ran(line, 0, "")
        assert words[0] == "tandem", line
        done = CliRunner().invoke(tandem, words[1:], env={"COLUMNS": "100"}, input=io.BytesIO())
        if target not in (None, "/dev/null"):
            Path(target).write_text(done.stdout)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return Ran(line, 1, f"{done.output}\n{type(done.exception).__name__}: {done.exception}")
    return Ran(line, 0 if expected and done.exit_code == int(expected) else done.exit_code, done.output)


def shell(commands: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Commands of a page, run as they stand; what they left running is stopped."""
    return subprocess.run(
        ["bash", "-euc", "trap 'kill $(jobs -p); wait' EXIT\n" + commands],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
