"""What several commands share: the organization file, the acting administrator, output for people and for scripts."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tandem.admin.opening import open_organization
from tandem.process.errors import ProcessError
from tandem.process.guard import Guard
from tandem.process.phases import PHASES, Phase, find_phase
from tandem.process.task import Context
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR

FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
AS = click.option("--as", "account", metavar="ADMIN", default=INITIAL_ADMINISTRATOR, help="Act as this administrator.")
PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The administrator's password; without it: the file in the secrets folder, in Active Directory the administrator's "
    "Kerberos ticket (kinit), or it is asked for.",
)
TARGET = click.option("--target", metavar="TASK", default="", help="Only this task, such as 7/gateways.")


def _phase(ctx: click.Context, param: click.Parameter, value: str | None) -> Phase | None:
    """A phase by its id or number."""
    if value is None:
        return None
    found = find_phase(value)
    if found is None:
        names = ", ".join(phase.id for phase in PHASES)
        raise click.BadParameter(f"there is no phase {value!r}; there are {names} (0 to 11)", ctx, param)
    return found


def _guard(ctx: click.Context, param: click.Parameter, value: int) -> Guard:
    return Guard(allowed=value)


PHASE = click.option("--phase", "only", metavar="PHASE", callback=_phase, help="Only this phase (id or number).")
REMOVALS = click.option(
    "--allow-removals",
    "guard",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    callback=_guard,
    help="Allow tasks that remove more than 5 % of a kind of object to remove up to N of them.",
)


def open_as(
    file: Path, account: str, password_file: Path | None, *, read_only: bool = False, destroy: bool = False
) -> Context:
    """The organization and its directory, as an administrator may use it; a missing password is asked for."""
    return open_organization(
        file, account=account, password_file=password_file, ask=ask_password, read_only=read_only, destroy=destroy
    )


def ask_password(account: str, why: str) -> str:
    """Ask the person at the terminal. Raises :class:`ProcessError` if there is none."""
    if not sys.stdin.isatty():
        raise ProcessError(f"no password for {account}: {why}, and there is no terminal to ask at; use --password-file")
    asked: str = click.prompt(f"Password of {account}", hide_input=True, err=True)
    return asked


def print_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def console() -> Console:
    """Where people read."""
    return Console(highlight=False, soft_wrap=True)
