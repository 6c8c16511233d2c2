"""What several commands share: the organization file, the acting administrator, output for people and for scripts."""

import gc
import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory.ldap.kerberos import ticket_holder
from tandem.org.load import require_organization
from tandem.process.bootstrap import open_context, place_of
from tandem.process.destroy import emptied
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
    """The organization and its directory, as an administrator may use it."""
    gc.disable()  # a command is short, and what it makes lives to its end: with 100,000 users looking for garbage takes a third
    organization = require_organization(file)
    kept = organization.secrets / account
    password: str | None = ""
    if password_file is not None or not kept.exists():
        login = place_of(organization).account(account) if organization.uses_ldap else ""
        password = read_password(account, password_file, f"{kept} is not there", login)
    if destroy:
        organization = emptied(organization)
    return open_context(
        organization, clock=SystemClock(), ids=SystemIds(), account=account, password=password, read_only=read_only
    )


def read_password(account: str, password_file: Path | None, why: str, login: str = "") -> str | None:
    """A password: from a file, or from whoever sits there; none if there is a Kerberos ticket of ``login``.

    ``login`` is ``account@forest`` where the directory takes tickets. Raises :class:`ProcessError` where nobody can be asked.
    """
    if password_file is not None:
        try:
            return password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ProcessError(f"{password_file} cannot be read as a password in UTF-8: {error}") from None
    if login and (holder := ticket_holder()):
        if holder == login.lower():
            return None
        why += f", the Kerberos ticket at hand is {holder}'s"
    if not sys.stdin.isatty():
        raise ProcessError(f"no password for {account}: {why}, and nobody can be asked; use --password-file")
    asked: str = click.prompt(f"Password of {account}", hide_input=True, err=True)
    return asked


def print_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def console() -> Console:
    """Where people read."""
    return Console(highlight=False, soft_wrap=True)
