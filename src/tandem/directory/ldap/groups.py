"""Where the groups that decide who may do what are in a forest that Windows, Exchange and Lync have set up.

Everywhere else a group is ``CN=NAME,CN=Users`` of its forest's root domain (:meth:`tandem.directory.layout.Layout.group`).
In a real forest Exchange's are in an OU of their own and may be moved, and Windows' names are translated: they are found by
their security identifier, by the well-known objects of CN=Microsoft Exchange, or by their account name anywhere in the domain.

``Administrators`` is not among them: those of a domain rule its controllers, and no task of ours may put anybody there.

Sources: Microsoft's list of well-known SIDs; Microsoft's CSS-Exchange (Get-ExchangeOtherWellKnownObjects) for the
identifiers of Exchange's groups; the permissions reference of Exchange 2013 for the OU.
"""

from collections.abc import Iterator

from tandem.directory.dn import DN
from tandem.directory.filters import escape
from tandem.directory.layout import Layout, domain_of
from tandem.directory.ldap.things import Find, Thing, name_in
from tandem.directory.port import Scope
from tandem.org.groups import EXCHANGE_2007_GROUPS, GROUPS

_RELATIVE_IDS = {"Domain Admins": 512, "Enterprise Admins": 519}
"""The last part of the SID, below that of the forest's root domain."""
BUILTIN_ADMINISTRATORS = "S-1-5-32-544"
INITIAL_ADMINISTRATOR_ID = 500
_WELL_KNOWN = {
    "Organization Management": "C262A929D691B74A9E068728F8F842EA",
    "Recipient Management": "DB72C41D49580A4DB304FE6981E56297",
    "UM Management": "E80CDFB75697934981C898B4DBC5A0C6",
    "Server Management": "4DB8E7754EB6C1439565612E69A80A4F",
    "Exchange Servers": "A7D2016C83F003458132789EEB127B84",
}
"""The identifiers under which otherWellKnownObjects of CN=Microsoft Exchange names Exchange's groups."""
_EXCHANGE_OU = "Microsoft Exchange Security Groups"
_NAMES = tuple(
    name
    for name in dict.fromkeys((*GROUPS["D"], *GROUPS["X"], *GROUPS["V"], *EXCHANGE_2007_GROUPS))
    if name != "Administrators"
)


class GroupPlaces:
    """The groups of one forest: by the name that they have everywhere else, and by where they are."""

    def __init__(self, forest: str, find: Find) -> None:
        self._forest, self._find = forest, find
        self._users = Layout(forest=forest, organization="-").users
        self._names = {self._users.child("CN", name): name for name in _NAMES}
        self._real: dict[DN, DN] = {}
        self._ours: dict[DN, DN] | None = None

    def real(self, dn: DN) -> DN:
        """Where the group of this name is; any other name, and a group that is not there, as it is."""
        if dn not in self._names:
            return dn
        if dn not in self._real:
            if self._find(dn, "(objectClass=*)", Scope.BASE):
                self._real[dn] = dn
            else:
                self._look()
        return self._real.get(dn, dn)

    def ours(self, dn: DN) -> DN:
        """The name that a group has everywhere else; any other name as it is."""
        if self._ours is None:
            self._look()
        return (self._ours or {}).get(dn, dn)

    def _look(self) -> None:
        found = {self._users.child("CN", name): dn for name, dn in find_groups(self._forest, self._find).items()}
        for ours, dn in found.items():
            self._real.setdefault(ours, dn)
        self._ours = {}
        for ours, dn in self._real.items():
            self._ours.setdefault(dn, ours)


def find_groups(forest: str, find: Find) -> dict[str, DN]:
    """Each group that is there, by its name as English servers have it."""
    domain = domain_of(forest)
    sid = domain_sid(forest, find)
    sids = {f"{sid}-{number}": name for name, number in _RELATIVE_IDS.items()} if sid else {}
    terms = [f"(sAMAccountName={escape(name)})" for name in _NAMES] + [f"(objectSid={each})" for each in sids]
    held = find(domain, f"(&(objectClass=group)(|{''.join(terms)}))")
    known = dict(_well_known(forest, find))
    found: dict[str, DN] = {}
    for name in _NAMES:
        named = [each for each in held if each.first("sAMAccountName").lower() == name.lower()]
        by_sid = (each.dn for each in held if sids.get(each.first("objectSid")) == name)
        in_ou = (each.dn for each in named if each.dn.parent == domain.child("OU", _EXCHANGE_OU))
        own = (each.dn for each in named if each.dn.parent == domain.child("CN", "Users"))
        candidates = (*by_sid, *own, *((known[name],) if name in known else ()), *in_ou, *(each.dn for each in named))
        if candidates:
            found[name] = candidates[0]
    return found


def domain_sid(forest: str, find: Find) -> str:
    """The security identifier of the root domain; empty where it is not to be seen."""
    return next((each.first("objectSid") for each in find(domain_of(forest), "(objectClass=*)", Scope.BASE)), "")


def administrators(forest: str, find: Find) -> Thing | None:
    """The domain's own Administrators, in whatever language: for reading only."""
    held = find(domain_of(forest), f"(objectSid={BUILTIN_ADMINISTRATORS})")
    return next(iter(held), None)


def _well_known(forest: str, find: Find) -> Iterator[tuple[str, DN]]:
    """Exchange's groups by their identifiers, wherever they were moved. A group of 2007's own name is not 2010's."""
    names = {guid: name for name, guid in _WELL_KNOWN.items()}
    for container in find(Layout(forest=forest, organization="-").microsoft_exchange, "(objectClass=*)", Scope.BASE):
        for text in container.all("otherWellKnownObjects"):
            _, _, rest = text.partition("B:32:")
            guid, _, target = rest.partition(":")
            dn = name_in(target)
            if dn is None or guid.upper() not in names or dn.name in EXCHANGE_2007_GROUPS:
                continue
            if ("CN", "Deleted Objects") not in dn.rdns:
                yield names[guid.upper()], dn
