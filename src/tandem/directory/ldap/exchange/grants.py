"""What exchucutil has given, or has not, to the voice side, as it stands in a forest that Exchange has set up.

``Add-ADPermission -AccessRights ListChildren,ReadProperty`` sets these two rights and no others (MS-ADTS 5.1.3.2): fewer than
ours, which let an entry's rights be read, too. Here they count as ours.
"""

from collections.abc import Callable, Iterable, Iterator

from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.layout import Layout
from tandem.directory.ldap.descriptor import ALLOWED, CONTAINER_INHERIT, INHERIT_ONLY, RawAce
from tandem.directory.ldap.exchange.source import ForestReport
from tandem.directory.port import Ace, Inherit, Right

_LIST_CHILDREN, _READ_PROPERTY = 0x4, 0x10
_INHERITED = {0: Inherit.THIS, CONTAINER_INHERIT: Inherit.ALL}


def rights(report: ForestReport, organization: str) -> dict[str, tuple[Ace, ...]]:
    """The entries of the voice side's two groups on the UM containers, by container."""
    at = Layout(forest=report.forest.name, organization=organization)
    held = {}
    for text, wanted in exchucutil_aces(at):
        names = {ace.principal.name for ace in wanted}
        aces = granted(report.forest.records(DN.parse(text)), report.forest.principal)
        held[text] = tuple(ace for ace in aces if ace.principal.name in names)
    return held


def granted(records: Iterable[RawAce], principal: Callable[[str], DN | None]) -> Iterator[Ace]:
    """What entries of an ACL allow to whom: of listing and reading, and only what stands on the entry itself."""
    for record in records:
        given = Right(0)
        if record.mask & _LIST_CHILDREN:
            given |= Right.LIST
        if record.mask & _READ_PROPERTY:
            given |= Right.READ
        if record.type != ALLOWED or record.inherited or not given or not record.sid:
            continue
        if (who := principal(record.sid)) is not None:
            inherit = _INHERITED.get(record.flags & (CONTAINER_INHERIT | INHERIT_ONLY), Inherit.DESCENDANTS)
            yield Ace(principal=who, rights=given, inherit=inherit)
