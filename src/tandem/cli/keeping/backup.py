"""``tandem backup`` and ``tandem restore``: everything that an organization keeps on this machine."""

from pathlib import Path

import click

from tandem.admin.keeping import backup as admin
from tandem.cli.common import FILE, JSON, print_json

ARCHIVE = click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@FILE
@ARCHIVE
@click.option("--no-mail", is_flag=True, help="Leave the mailboxes out.")
@JSON
def backup(file: Path, archive: Path, no_mail: bool, as_json: bool) -> None:
    """Write everything that FILE's organization keeps here into ARCHIVE, while its servers run.

    The embedded directory as of one moment, certificates and their keys, secrets, the PIN key, mailboxes, spool, the journal.
    The archive holds every secret: only its owner can read it. Keep it as safely as the secrets themselves.

    \b
    Example:
      tandem backup mine/organization.yaml /backup/mine-monday.tar.gz
    """
    made = admin.backup(file, archive, mail=not no_mail)
    if as_json:
        print_json(made.to_json())
    else:
        click.echo(
            f"{archive}: {made.files} file(s), {made.bytes / 1e6:.1f} MB before compression. It holds every secret."
        )


@click.command()
@FILE
@ARCHIVE
@click.option("--replace", is_flag=True, help="Where there is a state already: put the archive's in its place.")
@JSON
def restore(file: Path, archive: Path, replace: bool, as_json: bool) -> None:
    """Put back what is in ARCHIVE for FILE's organization, while its servers run.

    The whole archive is checked before anything is changed. Servers see the directory of the archive at once; restart
    them after certificates were put back. Existing messages and journal lines are kept.

    \b
    Examples:
      tandem restore mine/organization.yaml /backup/mine-monday.tar.gz
      tandem restore mine/organization.yaml /backup/mine-monday.tar.gz --replace
    """
    done = admin.restore(file, archive, replace=replace)
    if as_json:
        print_json(done.to_json())
    else:
        click.echo(f"{done.files} file(s) of {done.made_at} put back; {len(done.kept)} were there and are kept.")
