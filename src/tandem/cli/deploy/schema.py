"""``tandem schema``: the organization file's JSON Schema, for editors."""

import click

from tandem.admin.deploy.organization import organization_schema
from tandem.cli.common import print_json


@click.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of an organization file, made from the model and its rules.

    Editors with a YAML language server complete and check keys with it:

    \b
    Example:
      tandem schema > organization.schema.json
      # and as the first line of organization.yaml:
      # yaml-language-server: $schema=organization.schema.json
    """
    print_json(organization_schema())
