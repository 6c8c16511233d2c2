"""``tandem collect``: write the scripts that read what there is on Exchange and Lync servers."""

from pathlib import Path
from typing import cast

import click

from tandem.admin.deploy import collect as admin
from tandem.pki.files import write_whole
from tandem.process.observing.collecting.script import Side
from tandem.process.observing.format import SHELLS


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--for", "side", type=click.Choice(list(SHELLS)), required=True, help="Exchange's servers, or Lync's.")
@click.option("--forest", default="", help="Only this forest; without FILE: the script runs in no other.")
@click.option(
    "--shell", type=click.Choice([each for shells in SHELLS.values() for each in shells]), help="Only this shell."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="The folder to write to.")
def collect(file: Path | None, side: str, forest: str, shell: str | None, out: Path) -> None:
    """Write collectors: read-only PowerShell scripts, one per forest and shell that the organization in FILE declares.

    An administrator runs each in the Exchange Management Shell or the Lync Server Management Shell, with view-only rights
    (View-Only Organization Management; RTCUniversalReadOnlyAdmins). It writes one JSON file for 'tandem observe'. Those of
    Exchange 2007 and of Lync run on every server, as only the server itself can read its certificates.

    Without FILE one collector is written, for --shell: for 'tandem import' of an organization that is not declared yet.

    \b
    Examples:
      tandem collect contoso/organization.yaml --for exchange --out collectors
      tandem collect contoso/organization.yaml --for lync --out collectors
      tandem collect --for exchange --shell exchange-2013
    """
    written = admin.collect(cast(Side, side), file=file, forest=forest, shell=shell or "")
    out.mkdir(parents=True, exist_ok=True)
    for each in written:
        path = out / each.file_name
        write_whole(path, each.text().replace("\n", "\r\n").encode("ascii"))
        click.echo(f"{path}: shell {each.shell}, forest {each.forest or 'of the computer that runs it'}")
