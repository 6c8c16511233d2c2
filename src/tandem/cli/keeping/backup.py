"""``tandem backup`` and ``tandem restore``: everything that an organization keeps on this machine."""

import os
from pathlib import Path

import click

from tandem.admin.keeping import backup as admin
from tandem.cli.common import JSON, print_json

ARCHIVE = click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@click.argument("file", metavar="FILE|HOME", type=click.Path(exists=True, path_type=Path))
@ARCHIVE
@click.option("--no-mail", is_flag=True, help="Leave the mailboxes out.")
@JSON
def backup(file: Path, archive: Path, no_mail: bool, as_json: bool) -> None:
    """Write everything that FILE's organization, or the server of a HOME, keeps here into ARCHIVE, while servers run.

    FILE and the files that it names, the embedded directory as of one moment, certificates and their keys, secrets, the PIN
    key, mailboxes, spool, the journal: what 'tandem restore' needs on an empty machine. Symbolic links are not followed.
    The archive holds every secret: only its owner can read it. Keep it as safely as the secrets themselves.

    \b
    Examples:
      tandem backup mine/organization.yaml /backup/mine-monday.tar.gz
      tandem backup /var/lib/tandem/um1.example.com /backup/um1-monday.tar.gz
    """
    made = admin.backup(file, archive, mail=not no_mail)
    if as_json:
        print_json(made.to_json())
        return
    click.echo(f"{archive}: {made.files} file(s), {made.bytes / 1e6:.1f} MB before compression. It holds every secret.")
    if made.left_out:
        click.echo(f"warning: left out, being symbolic links: {', '.join(made.left_out)}", err=True)


@click.command()
@ARCHIVE
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to restore into; default: the one that the archive was made from.",
)
@click.option("--replace", is_flag=True, help="Where there is a state already: put the archive's in its place.")
@click.option(
    "--outside",
    is_flag=True,
    help="Write outside of the folder too, where ARCHIVE's organization file names such places.",
)
@click.option(
    "--owner", metavar="ACCOUNT", help="As root: give the files to this account; default: the owner of the folder."
)
@JSON
def restore(archive: Path, to: Path | None, replace: bool, outside: bool, owner: str | None, as_json: bool) -> None:
    """Put back what is in ARCHIVE: on an empty machine, or (--replace) over what is there, while its servers run.

    The whole archive is checked, and written beside its place, before anything is changed. With --replace servers see the
    directory of the archive at once; restart them after certificates were put back. Existing messages, journal lines,
    and an organization file with the files that it names are kept; a server that has a spool takes none of the archive,
    whose messages may have been delivered since.

    \b
    Examples:
      tandem restore /backup/mine-monday.tar.gz
      tandem restore /backup/mine-monday.tar.gz --to copy
      tandem restore /backup/mine-monday.tar.gz --to mine --replace
    """
    done = admin.restore(archive, to=to, replace=replace, outside=outside, owner=owner)
    if as_json:
        print_json(done.to_json())
        return
    click.echo(
        f"{done.files} file(s) of {done.made_at} put back in {done.home}; {len(done.kept)} were there and are kept."
    )
    if done.spooled:
        click.echo(
            f"warning: {len(done.spooled)} file(s) of the spool were not put back: what they hold may have been delivered "
            "since the backup. A server without a spool folder takes the archive's.",
            err=True,
        )
    for path in done.missing:
        click.echo(f"warning: {path} is not in this archive (release 0.1 left it out); put it there yourself", err=True)
    if os.geteuid() == 0:
        hint = "; if the servers run as another account, use --owner" if done.owner == "root" else ""
        click.echo(f"You are root: the files belong to {done.owner}{hint}.")
