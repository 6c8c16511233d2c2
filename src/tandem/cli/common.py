"""What several commands share: the organization file, the acting administrator, output for people and for scripts."""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tandem.admin.opening import Operator, nobody_to_ask
from tandem.cli.said import SpeakingConsole, said
from tandem.process.guard import Guard
from tandem.process.phases import PHASES, Phase, find_phase
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR

FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
SUMMARY = click.option("--summary", is_flag=True, help="Print one line only, for timers.")
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


def phase_option(flag: str, name: str, help_: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that takes a phase by its id or number."""
    return click.option(flag, name, metavar="PHASE", callback=_phase, help=help_)


PHASE = phase_option("--phase", "only", "Only this phase (id or number).")
REMOVALS = click.option(
    "--allow-removals",
    "guard",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    callback=_guard,
    help="Allow tasks that remove more than 5 % of a kind of object to remove up to N of them.",
)


_OPERATOR = (
    click.option("--as", "account", metavar="ADMIN", default=INITIAL_ADMINISTRATOR, help="Act as this administrator."),
    click.option(
        "--password-file",
        envvar="TANDEM_PASSWORD_FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The administrator's password; without it: in Active Directory the administrator's Kerberos ticket, or it is "
        "asked for. Or set TANDEM_PASSWORD_FILE.",
    ),
    click.option(
        "--kerberos", is_flag=True, help="Active Directory: only by the current Kerberos ticket (kinit); never ask."
    ),
)
_FROM_SECRETS = click.option(
    "--from-secrets",
    envvar="TANDEM_FROM_SECRETS",
    is_flag=True,
    help="Trials: the password in the organization's secrets folder, where phase 0 put it. Or set TANDEM_FROM_SECRETS=1.",
)


def operator_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say who acts, and what proves it, as one argument ``operator``."""
    return reader_options(_FROM_SECRETS(command))


def reader_options(command: Callable[..., None]) -> Callable[..., None]:
    """As :func:`operator_options`, for commands without an organization file, whose secrets folder could be used."""

    @functools.wraps(command)
    def wrapped(
        *arguments: Any,
        account: str,
        password_file: Path | None,
        kerberos: bool,
        from_secrets: bool = False,
        **others: Any,
    ) -> None:
        proof = _named_proof() or ("password_file" if password_file else "from_secrets")
        operator = Operator(
            account=account,
            password_file=password_file if proof == "password_file" else None,
            kerberos=kerberos,
            from_secrets=from_secrets and proof == "from_secrets",
            ask=ask_password,
        )
        command(*arguments, operator=operator, **others)

    for option in reversed(_OPERATOR):
        wrapped = option(wrapped)
    return wrapped


def _named_proof() -> str:
    """The proof that the command line names, if any: before what the environment says. Raises :class:`click.UsageError`."""
    source = click.get_current_context().get_parameter_source
    named = [
        name
        for name in ("password_file", "kerberos", "from_secrets")
        if source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join('--' + name.replace('_', '-') for name in named)}: name one of them")
    return next(iter(named), "")


def ask_password(account: str) -> str:
    """Ask the person at the terminal. Raises :class:`ProcessError` if there is none."""
    if not sys.stdin.isatty():
        return nobody_to_ask(account)
    asked: str = click.prompt(said(f"Password of {account}"), hide_input=True, err=True)
    return asked


def print_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def console() -> Console:
    """Where people read."""
    return SpeakingConsole(highlight=False, soft_wrap=True)
