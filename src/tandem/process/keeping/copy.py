"""Copying an organization from one directory to another: from the embedded one to Active Directory, and back.

What both describe stays what the file declares; copied is what the file does not say, too: objects that were made by hand,
hashes of PINs, SIP secrets (as far as the reader sees them), rights, memberships. Nothing is deleted in the target, and
nothing of it is touched that the source does not have. Passwords of accounts cannot be read from either: they are set from
the secrets folder.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tandem.directory import schema
from tandem.directory.dn import DN
from tandem.directory.layout import Layout, domain_of
from tandem.directory.objects import MANAGED_BY, SIP_ADDRESS, UM_FLAGS
from tandem.directory.port import Ace, Entry, Session
from tandem.org.groups import groups_in
from tandem.org.model import Organization
from tandem.process.task import Change, Step, ace_change, difference, layout_of

_LINKS = {each.name.lower() for each in schema.ATTRIBUTES.values() if each.syntax == "dn"}
_OWN = frozenset(each.name.lower() for each in schema.DEFINED)
_FIXED = {"objectclass", "cn", "ou", "dc", "name", "samaccountname"}
_ACCOUNTS = {"user", "computer"}
_NOTHING = ((), ("0",), ("FALSE",))
"""What an account that is neither enabled for UM nor for SIP has of an attribute: directories write one or the other."""
Password = Callable[[str], str]
"""The password of an account, or an empty string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is copied: entries in an order in which each follows the one above it, and what is left out, with why.

    ``ground`` are the organization's own places, whose rights are copied, and the domains.
    """

    entries: tuple[Entry, ...]
    ground: frozenset[DN]
    left_out: tuple[str, ...]


def read(session: Session, organization: Organization) -> Source:
    """Everything of an organization that is in a directory, as its reader sees it.

    Active Directory holds much besides: taken are objects of our classes, the organization's groups, accounts that are
    managed or in those groups, contacts that are managed, and the containers that these stand in.
    """
    found: dict[DN, Entry] = {}
    ground: set[DN] = set()
    left_out: list[str] = []
    for forest in organization.forests:
        at = layout_of(organization, forest.name)
        groups = {at.group(name) for name in groups_in(organization, forest.name)}
        every = session.search(domain_of(forest.name))
        members = {DN.parse(text) for e in every if e.dn in groups for text in e.all("member")}
        taken = {e.dn: e for e in every if _taken(e, groups, members) or _ground(e.dn, at, organization)}
        above = {up for dn in taken for up in _above(dn)}
        found |= {e.dn: e for e in every if e.dn in taken or e.dn in above}
        ground |= {domain_of(forest.name)} | {dn for dn in found if _ground(dn, at, organization)}
        left_out += [f"trust {e.dn.name}" for e in every if e.all("objectClass")[-1] == "trustedDomain"]
    # Accounts and groups before services: rights there are theirs.
    ordered = sorted(found.values(), key=lambda e: ("\x1fcn=services\x1f" in e.dn.path, e.dn.path))
    return Source(entries=tuple(ordered), ground=frozenset(ground), left_out=tuple(left_out))


def _taken(entry: Entry, groups: set[DN], members: set[DN]) -> bool:
    class_ = entry.all("objectClass")[-1].lower()
    if class_ == "trusteddomain":
        return False
    ours = any(entry.first(name) for name in (MANAGED_BY, SIP_ADDRESS, UM_FLAGS))
    return class_ in _OWN or ours or entry.dn in groups or entry.dn in members


def _ground(dn: DN, at: Layout, organization: Organization) -> bool:
    """Whether it is one of the organization's own places: of its services, or an OU that it declares."""
    return any(dn.below(each) for each in (at.microsoft_exchange, at.rtc_service, at.voice)) or any(
        dn == DN.parse(text) for text in organization.organizational_units
    )


def _above(dn: DN) -> Iterator[DN]:
    while len(dn.rdns) > 1 and dn.rdns[0][0].upper() != "DC":
        dn = dn.parent
        yield dn


def steps(source: Source, origin: Session, target: Session, password: Password) -> Iterator[Step]:
    """What is to be done in the target. First every entry, then what points from one to another, then rights."""
    copied = {entry.dn for entry in source.entries}
    for entry in source.entries:
        if entry.dn.rdns[0][0].upper() != "DC":
            yield from _entry(entry, origin, target, copied, password, ground=entry.dn in source.ground)
    for entry in source.entries:
        yield from _attributes(entry, target, links=True)
    for entry in source.entries:
        if entry.dn in source.ground:
            yield from _rights(entry.dn, origin, target, copied)


def _entry(
    entry: Entry, origin: Session, target: Session, copied: set[DN], password: Password, *, ground: bool
) -> Iterator[Step]:
    class_ = entry.all("objectClass")[-1]
    held = target.get(entry.dn)
    if held is None:
        attributes = {name: values for name, values in _values(entry, links=False).items() if values}
        attributes["objectClass"] = ("top", class_)
        if class_.lower() in _ACCOUNTS:
            attributes["sAMAccountName"] = entry.all("sAMAccountName")
        # What inherits nothing is made so: what comes to be below it is never seen by others.
        rights: dict[str, Any] = {}
        if ground:
            rights = {"aces": _aces(entry.dn, origin, copied), "protected": origin.protected(entry.dn)}
        yield Change(action="+", kind=class_, name=entry.dn.name), partial(target.add, entry.dn, attributes, **rights)
    else:
        yield from _attributes(entry, target, links=False)
    account = entry.first("sAMAccountName")
    if class_.lower() in _ACCOUNTS and (secret := password(account)) and not target.has_password(entry.dn):
        change = Change(action="~", kind=class_, name=account, details=("password (sensitive)",))
        yield change, partial(target.set_password, entry.dn, secret)


def _values(entry: Entry, *, links: bool) -> dict[str, tuple[str, ...]]:
    return {
        schema.attribute(name).name: values
        for name, values in entry.attributes.items()
        if name not in _FIXED and (name in _LINKS) == links
    }


def _attributes(entry: Entry, target: Session, *, links: bool) -> Iterator[Step]:
    held = target.get(entry.dn)
    account = entry.all("objectClass")[-1].lower() in _ACCOUNTS
    changed: dict[str, tuple[str, ...]] = {}
    details = []
    for name, values in _values(entry, links=links).items():
        known = schema.attribute(name)
        before = held.all(name) if held else ()
        wanted = (*before, *(v for v in values if DN.parse(v) not in set(map(DN.parse, before)))) if links else values
        if links and known.multi:
            same = len(wanted) == len(before)
        else:
            wanted = values
            same = before == values or (known.multi and not known.ordered and sorted(before) == sorted(values))
            same = same or (account and before in _NOTHING and values in _NOTHING)
        if not same:
            changed[name] = wanted
            shown = ("(sensitive)",) if known.confidential else wanted
            details.append(f"{name} (sensitive)" if known.confidential else difference(name, before, shown))
    if changed:
        change = Change(action="~", kind=entry.all("objectClass")[-1], name=entry.dn.name, details=tuple(details))
        yield change, partial(target.replace, entry.dn, changed)


def _rights(dn: DN, origin: Session, target: Session, copied: set[DN]) -> Iterator[Step]:
    for ace in target.lacking(dn, _aces(dn, origin, copied)):
        yield ace_change("+", dn, ace), partial(target.grant, dn, (ace,))


def _aces(dn: DN, origin: Session, copied: set[DN]) -> list[Ace]:
    """Rights of those that are copied, too."""
    return [ace for ace in origin.aces(dn) if ace.principal in copied]
