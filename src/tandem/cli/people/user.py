"""``tandem user``: what administrators do for one user."""

from pathlib import Path

import click

from tandem.admin.opening import Operator, open_organization
from tandem.admin.people import leavers as admin_leavers
from tandem.admin.people import users as admin
from tandem.cli.common import FILE, JSON, operator_options, print_json

USER = click.argument("name", metavar="USER")
HOME = click.option(
    "--home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The UM server's home, if its mailboxes are not beside FILE.",
)


@click.group()
def user() -> None:
    """Help one USER, named by account, mail address or SIP address; see to the mailboxes of those who left.

    Running servers see each change within a second (in Active Directory, with its replication). The journal says who did it.
    """


@user.command()
@FILE
@USER
@operator_options
@JSON
def show(file: Path, name: str, operator: Operator, as_json: bool) -> None:
    """Show what the directory knows of USER.

    Who is locked out now is known to the voice servers: their logs say voice.locked, and tandem_voice_locked is the number.

    \b
    Example:
      tandem user show example/organization.yaml alice
    """
    shown = admin.show(open_organization(file, operator, read_only=True), name).to_json()
    if as_json:
        print_json(shown)
        return
    for key, value in shown.items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        click.echo(f"{key.replace('_', ' ') + ':':16} {text or '-'}")


@user.command()
@FILE
@USER
@operator_options
def unlock(file: Path, name: str, operator: Operator) -> None:
    """Let USER's phones register again after too many wrong SIP secrets.

    Takes RTCUniversalUserAdmins. A lock-out ends by itself after five minutes. One of a whole address, from which many wrong
    secrets came, ends by time only.

    \b
    Example:
      tandem user unlock example/organization.yaml alice --as victor
    """
    done = admin.unlock(open_organization(file, operator), name)
    click.echo(f"{done.account}: wrong SIP secrets that voice servers had counted are forgotten.")


@user.command("reset-pin")
@FILE
@USER
@operator_options
def reset_pin(file: Path, name: str, operator: Operator) -> None:
    """Have a new PIN made for USER, and mailed to them, by a UM server.

    Takes UM Management or Organization Management. The old PIN is of no use once the new one is mailed; nobody else sees it.

    \b
    Example:
      tandem user reset-pin example/organization.yaml alice --as maria
    """
    done = admin.reset_pin(open_organization(file, operator), name)
    click.echo(f"{done.account}: a UM server makes a new PIN and mails it to {done.mail}.")


@user.command("reset-sip-secret")
@FILE
@USER
@operator_options
def reset_sip_secret(file: Path, name: str, operator: Operator) -> None:
    """Give USER another SIP secret, as after the loss of a phone; phones that have the old one are refused.

    Takes RTCUniversalUserAdmins. 'tandem directory sip-secret' shows it to who sets up the phone.

    \b
    Example:
      tandem user reset-sip-secret example/organization.yaml alice --as victor
    """
    done = admin.reset_sip_secret(open_organization(file, operator), name)
    click.echo(
        f"{done.account}: another SIP secret; set up the phones again "
        f"('tandem directory sip-secret FILE {done.pool} {done.sip_address}' shows it)."
    )


@user.command()
@FILE
@HOME
@operator_options
@JSON
def leavers(file: Path, home: Path | None, operator: Operator, as_json: bool) -> None:
    """List the mailboxes whose address no user has any more: of users who left, or got another address elsewhere.

    They are kept until 'tandem user purge' removes them. A user whose mail address changes keeps the mailbox: the UM server
    moves it.

    \b
    Example:
      tandem user leavers example/organization.yaml
    """
    found = admin_leavers.leavers(open_organization(file, operator, read_only=True), home)
    if as_json:
        print_json([each.to_json() for each in found])
        return
    for each in found:
        last = f"the last of {each.last_at:%Y-%m-%d}" if each.last_at else "empty"
        click.echo(f"{each.address}  {each.messages} message(s), {last}")
    if not found:
        click.echo("Every mailbox here is a user's.")


@user.command()
@FILE
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@HOME
@click.option("--yes", is_flag=True, help="Do not ask.")
@operator_options
def purge(file: Path, addresses: tuple[str, ...], home: Path | None, yes: bool, operator: Operator) -> None:
    """Remove the mailboxes of leavers with all their messages, for good.

    Takes UM Management or Organization Management. Addresses that a user has are refused. Backups still hold the messages.

    \b
    Example:
      tandem user purge example/organization.yaml zoe@example.com --as maria --yes
    """
    if not yes:
        click.confirm(f"Remove {', '.join(addresses)} with all messages?", abort=True, err=True)
    for each in admin_leavers.purge(open_organization(file, operator), addresses, home):
        click.echo(f"{each.address}  removed, {each.messages} message(s)")
