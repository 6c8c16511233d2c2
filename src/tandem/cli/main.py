"""The command ``tandem``: a table of sub-commands, each loaded only when it is asked for.

A :class:`TandemError` is shown as its message; a traceback is shown only for a defect of Tandem itself.
"""

import gc
import importlib
import sys

import click

from tandem.cli.said import Speech
from tandem.core.errors import TandemError

COMMANDS = {
    "init": "tandem.cli.deploy.init:init",
    "validate": "tandem.cli.deploy.validate:validate",
    "plan": "tandem.cli.deploy.plan:plan",
    "apply": "tandem.cli.deploy.apply:apply",
    "verify": "tandem.cli.deploy.verify:verify",
    "runbook": "tandem.cli.deploy.runbook:runbook",
    "drift": "tandem.cli.deploy.drift:drift",
    "agree": "tandem.cli.deploy.agree:agree",
    "confirm": "tandem.cli.deploy.agree:confirm",
    "collect": "tandem.cli.deploy.collect:collect",
    "observe": "tandem.cli.deploy.observe:observe",
    "destroy": "tandem.cli.deploy.apply:destroy",
    "exchucutil": "tandem.cli.tools.exchucutil:exchucutil",
    "ocsumutil": "tandem.cli.tools.ocsumutil:ocsumutil",
    "ou-permission": "tandem.cli.tools.oupermission:ou_permission",
    "user": "tandem.cli.people.user:user",
    "journal": "tandem.cli.deploy.journal:journal",
    "schema": "tandem.cli.deploy.schema:schema",
    "directory": "tandem.cli.directory.directory:directory",
    "import": "tandem.cli.directory.importing:import_",
    "doctor": "tandem.cli.directory.importing:doctor",
    "pki": "tandem.cli.keeping.pki:pki",
    "install": "tandem.cli.keeping.install:install",
    "backup": "tandem.cli.keeping.backup:backup",
    "restore": "tandem.cli.keeping.backup:restore",
    "serve": "tandem.cli.operate.serve:serve",
    "trace": "tandem.cli.operate.trace:trace",
    "phone": "tandem.cli.trial.phone:phone",
    "demo": "tandem.cli.trial.demo:demo",
}


EXIT_CODES = {
    0: "done, nothing to do, or nothing found",
    1: "error: bad input, wrong usage, refused; nothing is half-done",
    2: "`plan`: there are changes",
    3: "`drift`, `exchucutil --verify`, `ou-permission test`, `ocsumutil check-names`, "
    "`pki status`: something differs, is missing, or ends soon",
    4: "`apply`, `destroy`: tasks remain that others must do, that wait, or that are guarded; `verify`, `drift`: nothing "
    "failed or differs, but steps on Exchange or Lync servers are open, or not observed",
    5: "`apply PLAN`: tasks of the saved plan are stale",
    130: "stopped by Ctrl-C",
}
"""What every command's exit code means; each command's own help says which it has."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are first used, so that ``tandem --help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tandem-um", prog_name="tandem")
def tandem() -> None:
    """On-premises unified messaging and enterprise voice, deployed to work together.

    \b
    An organization, from a file to an answered call:
      export TANDEM_FROM_SECRETS=1                  # a trial: you hold everybody's passwords
      tandem init example                           # write a commented organization file
      tandem plan example/organization.yaml         # the tasks, and who does them
      tandem apply example/organization.yaml        # do it
      tandem serve um um1.example.com --home example --tls-port 15061 \\
          --resolve pool1.example.com=127.0.0.1:15062
      tandem serve voice pool1.example.com --home example --tls-port 15062 \\
          --resolve um1.example.com=127.0.0.1:15061
      tandem verify example/organization.yaml --live \\
          --resolve um1.example.com=127.0.0.1:15061 --resolve pool1.example.com=127.0.0.1:15062

    \b
    The servers run in the foreground, each in a terminal of its own.
    """


def main() -> None:
    """Entry point of the console script."""
    if sys.argv[1:2] not in (["serve"], ["demo"], ["phone"]):
        # Others are short, and what they make lives to their end: with 100,000 users, collecting garbage takes a third.
        gc.disable()
    speech = Speech()
    try:
        code = tandem(standalone_mode=False, obj=speech)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = 1
    except TandemError as error:
        click.echo(f"tandem: {speech.error(error)}", err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
