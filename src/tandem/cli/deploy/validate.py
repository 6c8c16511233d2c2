"""``tandem validate``: every mistake in an organization file at once."""

import dataclasses
from pathlib import Path

import click

from tandem.cli.common import FILE, JSON, print_json
from tandem.org.errors import Severity
from tandem.org.load import load_organization


@click.command()
@FILE
@JSON
def validate(file: Path, as_json: bool) -> None:
    """Check the organization FILE and show every mistake: place, key, what was found, what is expected.

    Exit code 0: it can be used (there may be warnings); 1: it has errors.

    \b
    Example:
      tandem validate example/organization.yaml
    """
    loaded = load_organization(file)
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in loaded.findings])
    else:
        for finding in loaded.findings:
            click.echo(str(finding))
        counts = {s: sum(f.severity is s for f in loaded.findings) for s in Severity}
        click.echo(f"{file}: {counts[Severity.ERROR]} error(s), {counts[Severity.WARNING]} warning(s)")
    raise click.exceptions.Exit(0 if loaded.organization is not None else 1)
