"""OU permissions, as Grant-, Test- and Revoke-CsOUPermission."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tandem.directory.dn import DN
from tandem.directory.errors import BadName
from tandem.directory.layout import forest_of
from tandem.process.apply import carry_out
from tandem.process.errors import ProcessError
from tandem.process.holders import require
from tandem.process.roles import DIRECTORY_ADMINS
from tandem.process.task import Change, Context, Step
from tandem.process.tools import oupermission as tool

TYPES = tuple(sorted(tool.TYPES))
"""The types of objects that rights on an OU can be for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OuPermissions:
    """For each type, whether the OU has, or inherits, what the voice side needs there."""

    granted: Mapping[str, bool]

    @property
    def complete(self) -> bool:
        """Whether every type has it."""
        return all(self.granted.values())

    def to_json(self) -> dict[str, bool]:
        """What ``tandem ou-permission test --json`` prints."""
        return dict(self.granted)


def grant(context: Context, types: Sequence[str], ou: str) -> tuple[Change, ...]:
    """Add the rights that are missing on an OU.

    Args:
        context: opened as a directory administrator of the OU's forest.
        types: at most three of :data:`TYPES`.
        ou: the OU's distinguished name; its whole subtree is covered.

    Raises:
        ProcessError: too many types, no such OU or forest.
        NotPermitted: the operator is no directory administrator.
    """
    return _change(context, types, ou, tool.grant_steps)


def revoke(context: Context, types: Sequence[str], ou: str) -> tuple[Change, ...]:
    """Remove what was granted on the OU itself; what it inherits stays. See :func:`grant`."""
    return _change(context, types, ou, tool.revoke_steps)


def test(context: Context, types: Sequence[str], ou: str) -> OuPermissions:
    """Whether the OU has, or inherits, what the voice side needs there. See :func:`grant`."""
    at, dn = _at(context, types, ou)
    return OuPermissions(granted={name: tool.granted(at, name, dn) for name in types})


def _change(
    context: Context, types: Sequence[str], ou: str, steps: Callable[[Context, str, DN], Iterator[Step]]
) -> tuple[Change, ...]:
    at, dn = _at(context, types, ou)
    require(at, DIRECTORY_ADMINS, forest=at.layout.forest, what="ou-permission")
    return tuple(carry_out(at, "ou-permission", (step for name in types for step in steps(at, name, dn))))


def _at(context: Context, types: Sequence[str], ou: str) -> tuple[Context, DN]:
    if len(types) > tool.MOST_TYPES:
        raise ProcessError(f"--type: {len(types)} types; at most {tool.MOST_TYPES} at once")
    try:
        dn = DN.parse(ou)
    except BadName as error:
        raise ProcessError(f"--ou: {error}") from None
    forest = forest_of(dn)
    if forest not in [each.name for each in context.organization.forests]:
        raise ProcessError(f"{dn} is in no forest of the organization")
    return context.at(forest), dn
