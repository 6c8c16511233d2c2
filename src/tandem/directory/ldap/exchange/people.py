"""Users with UM or with a SIP address, contacts of UM, trusts and members of groups.

The attributes are published: those of Lync's users in its schema reference; Exchange's msExchUMEnabledFlags,
msExchUMTemplateLink and msExchUMRecipientDialPlanLink by public scripts. What a contact points to is in otherIpPhone, whose
form is not published.
"""

from collections.abc import Iterator, Mapping, Sequence

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.ldap.exchange.source import ForestReport
from tandem.directory.ldap.exchange.voice import VoiceReader
from tandem.directory.ldap.groups import INITIAL_ADMINISTRATOR_ID, administrators, domain_sid, find_groups
from tandem.directory.ldap.things import Thing, name_in
from tandem.directory.port import Scope

UNREAD_TARGET = "(not readable)"
"""What stands for a contact's target."""


def users(
    report: ForestReport, voice: VoiceReader, plans: Mapping[DN, str], policies: Mapping[DN, str]
) -> Iterator[o.User]:
    """Everyone who is enabled for UM or has been enabled for Lync."""
    for thing in report.things("user", people=True):
        flags = thing.number("msExchUMEnabledFlags") or 0
        if "computer" in thing.all("objectClass") or not (flags & 1 or thing.first("msRTCSIP-UserEnabled")):
            continue
        account, enabled = thing.first("sAMAccountName"), thing.first("msRTCSIP-UserEnabled").upper() == "TRUE"
        yield o.User(
            account=account,
            container=str(thing.dn.parent),
            cn=thing.dn.name if thing.dn.name != account else "",
            display_name=thing.first("displayName"),
            mail=thing.first("mail"),
            sip_address=thing.first("msRTCSIP-PrimaryUserAddress"),
            sip_enabled=enabled,
            line_uri=thing.first("msRTCSIP-Line"),
            option_flags=thing.number("msRTCSIP-OptionFlags") or 0,
            home_pool=_home(report, voice, thing, o.User, account) if enabled else "",
            proxy_addresses=thing.all("proxyAddresses"),
            um_flags=flags,
            um_mailbox_policy=_link(thing, "msExchUMTemplateLink", policies),
            um_dial_plan=_link(thing, "msExchUMRecipientDialPlanLink", plans),
        )


def contacts(report: ForestReport, voice: VoiceReader) -> Iterator[o.Contact]:
    """The contacts that make UM callable: all of them but what they point to."""
    for thing in report.things("contact", people=True):
        if thing.number("msRTCSIP-SourceObjectType") != o.UM_CONTACT:
            continue
        name, line = thing.first("displayName") or thing.dn.name, thing.first("msRTCSIP-Line")
        why = (
            f"{line.removeprefix('tel:') or 'no number'}; what it points to is in otherIpPhone, whose form is not public "
            f"({thing.first('otherIpPhone')[:60]!r}; tandem observe, or OcsUmUtil)"
        )
        report.unread(o.Contact, name, "target", why)
        yield o.Contact(
            name=thing.dn.name,
            container=str(thing.dn.parent),
            display_name=name,
            sip_address=thing.first("msRTCSIP-PrimaryUserAddress"),
            line_uri=line,
            home_pool=_home(report, voice, thing, o.Contact, name),
            target=UNREAD_TARGET,
            sip_enabled=thing.first("msRTCSIP-UserEnabled").upper() == "TRUE",
            option_flags=thing.number("msRTCSIP-OptionFlags") or 0,
        )


def _home(report: ForestReport, voice: VoiceReader, thing: Thing, type_: type, name: str) -> str:
    home = thing.first("msRTCSIP-PrimaryHomeServer")
    pool = voice.home_of(home)
    if not pool:
        report.unread(
            type_, name, "home_pool", f"its home server is {home or 'not set'}, which is in no pool that is read"
        )
    return pool


def _link(thing: Thing, attribute: str, targets: Mapping[DN, str]) -> str:
    dn = name_in(thing.first(attribute))
    return targets.get(dn, "") if dn is not None else ""


def trusts(report: ForestReport) -> tuple[str, ...]:
    """The forests whose accounts this one lets in."""
    held = report.things("trustedDomain", people=True)
    return tuple(
        thing.first("trustPartner").lower() or thing.dn.name.lower()
        for thing in held
        if (thing.number("trustDirection") or 0) & o.OUTBOUND
    )


def members(report: ForestReport, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The accounts that are direct members of these groups; groups in them are named, and not looked into.

    The domain's own administrator, whatever it is called, holds everything and is left out.
    """
    forest, find = report.forest.name, report.forest.find
    places = find_groups(forest, find)
    if (own := administrators(forest, find)) is not None:
        places["Administrators"] = own.dn
    initial = f"{domain_sid(forest, find)}-{INITIAL_ADMINISTRATOR_ID}"
    found: dict[str, tuple[str, ...]] = {}
    for name in (name for name in names if name in places):
        people = []
        for member in _entries(report, places[name]):
            if "group" in member.all("objectClass"):
                report.note(f"group {name}: the members of {member.dn.name}, a group in it, are not listed")
            elif "user" in member.all("objectClass") and member.first("objectSid") != initial:
                people.append(member.first("sAMAccountName") or member.dn.name)
        found[name] = tuple(people)
    return found


def _entries(report: ForestReport, group: DN) -> Iterator[Thing]:
    find = report.forest.find
    for entry in find(group, "(objectClass=*)", Scope.BASE):
        for dn in (dn for text in entry.all("member") if (dn := name_in(text)) is not None):
            yield from find(dn, "(objectClass=*)", Scope.BASE)
