"""Reading a deployment of Exchange UM and Lync or Skype for Business as their own setup keeps it in Active Directory.

Classes, users' attributes and a few others are published. Where an attribute's name is not, its value tells: what names a
dial plan is a link to it, what occurs as phone context in users' EUM addresses is a dial plan's. Everything that is neither
known nor told is named in the notes; so is everything that Lync keeps outside of Active Directory.

Sources: Microsoft's topics on Exchange's schema changes and on Active Directory attributes used by Lync; scripts that read
pilot numbers by ``msExchUMVoiceMailPilotNumbers`` and ``msExchUMAutoAttendantDialedNumbers``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import ldap

from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.errors import BadName
from tandem.directory.found import Found
from tandem.directory.layout import ORGANIZATION_CLASS, Layout, domain_of
from tandem.directory.ldap.session import LdapSession
from tandem.org.numbers import is_e164
from tandem.org.vocabulary import (
    DigestAlgorithm,
    MediaEncryption,
    PoolKind,
    PoolType,
    ServerKind,
    ServerRole,
    StartupMode,
    Transport,
    UriType,
    VoIPSecurity,
)

_VERSIONS = {"8": "2007", "14": "2010", "15.0": "2013", "15.1": "2016", "15.2": "2019"}
_ROLES = {
    2: ServerRole.MAILBOX,
    4: ServerRole.CLIENT_ACCESS,
    16: ServerRole.UM,
    32: ServerRole.HUB_TRANSPORT,
}
_ROLES_2013 = {2: ServerRole.MAILBOX, 0x4000: ServerRole.CLIENT_ACCESS}
"""Bits of msExchCurrentServerRoles, until 2010 and from 2013 on."""
_STANDARD_EDITION = 0x1 | 0x4
"""Bits of msRTCSIP-PoolType."""
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")
_OF_EVERY_ENTRY = set(
    """
    objectclass cn name distinguishedname objectguid objectcategory instancetype whencreated whenchanged usncreated
    usnchanged showinadvancedviewonly systemflags admindisplayname dscorepropagationdata msexchversion
    """.split()  # noqa: SIM905 - a list of words
)
_OUTSIDE = (
    "voice dial plans and normalization rules",
    "voice policies, PSTN usages, voice routes and trunks",
    "media encryption of the pools (RequireEncryption is assumed)",
    "the members of Enterprise pools",
)


@dataclass(frozen=True, slots=True)
class _Thing:
    """An entry with all its text values, by attribute in lower case."""

    dn: DN
    values: Mapping[str, tuple[str, ...]]

    def first(self, name: str) -> str:
        """The first value, or an empty string."""
        return next(iter(self.values.get(name.lower(), ())), "")

    def links(self, targets: Mapping[DN, str]) -> list[str]:
        """The names of those of these entries that any of its values is the name of."""
        found: list[str] = []
        for text in (text for values in self.values.values() for text in values if text[:3].upper() == "CN="):
            try:
                name = targets.get(DN.parse(text), "")
            except BadName:
                continue
            if name and name not in found:
                found.append(name)
        return found


def present(session: LdapSession, forest: str) -> bool:
    """Whether an organization of Exchange's own is in a forest."""
    return any(_things(session, forest, ORGANIZATION_CLASS))


def read_exchange(session: LdapSession, forest: str) -> Found:
    """Everything of UM and of Lync that a forest's directory tells."""
    return _Reader(session, forest).read()


def _things(session: LdapSession, forest: str, class_: str, *, people: bool = False) -> Iterator[_Thing]:
    base = domain_of(forest) if people else Layout(forest=forest, organization="-").services
    raw = session.raw(session.forest(forest), str(base), ldap.SCOPE_SUBTREE, f"(objectClass={class_})", ("*",))
    for name, values in raw:
        texts = {key.lower(): tuple(v for v in map(_text, held) if v is not None) for key, held in values.items()}
        yield _Thing(DN.parse(name), texts)


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


class _Reader:
    def __init__(self, session: LdapSession, forest: str) -> None:
        self._session, self._forest = session, forest
        self._find: Callable[..., list[_Thing]] = lambda class_, **more: list(_things(session, forest, class_, **more))
        self._found = Found(objects={forest: []}, groups={forest: {}}, trusts={forest: ()})

    def read(self) -> Found:
        found = self._found
        found.organization = next((each.dn.name for each in self._find(ORGANIZATION_CLASS)), "")
        plans = {thing.dn: thing.dn.name for thing in self._find("msExchUMDialPlan")}
        policies = {thing.dn: thing.dn.name for thing in self._find("msExchUMRecipientTemplate")}
        pools = list(self._pools())
        users = list(self._users(plans, policies, [pool.fqdn for pool in pools]))
        self._keep(self._plans(users))
        self._keep(self._policies(plans, users))
        self._keep(self._gateways(plans))
        self._keep(self._attendants(plans))
        self._keep(self._servers(plans))
        self._keep(pools)
        self._keep(users)
        self._contacts()
        self._rights()
        found.notes += [f"Lync keeps {what} outside of Active Directory: unread" for what in _OUTSIDE if pools]
        return found

    def _rights(self) -> None:
        """What exchucutil has given, or has not, to the voice side."""
        at = Layout(forest=self._forest, organization=self._found.organization)
        held = self._found.rights[self._forest] = {}
        for text, wanted in exchucutil_aces(at):
            groups = {ace.principal for ace in wanted}
            held[text] = tuple(ace for ace in self._session.aces(DN.parse(text)) if ace.principal in groups)

    def _keep(self, objects: Iterable[object]) -> None:
        self._found.objects[self._forest] += list(objects)

    def _note(self, text: str) -> None:
        self._found.notes.append(text)

    def _rest(self, what: str, thing: _Thing, read: set[str]) -> None:
        """Name what was not read of an entry."""
        for name, values in sorted(thing.values.items()):
            if name not in _OF_EVERY_ENTRY and name not in read:
                self._note(f"{what} {thing.dn.name}: {name} = {', '.join(values)[:80]} not understood")

    def _plans(self, users: list[o.User]) -> Iterator[o.UMDialPlan]:
        for thing in self._find("msExchUMDialPlan"):
            name, read = thing.dn.name, {"msexchumvoicemailpilotnumbers"}
            mine = [eum for u in users if u.um_dial_plan == name for eum in u.eum_addresses]
            contexts = {eum.phone_context for eum in mine}
            for key, values in thing.values.items():
                if contexts.intersection(values):
                    read.add(key)
            context = next(iter(sorted(contexts)), f"{name}.{self._forest}")
            if len(contexts) != 1:
                self._note(
                    f"UM dial plan {name}: phone context {context} assumed: its users have {len(contexts)} of them"
                )
            digits = sorted({len(eum.address) for eum in mine if eum.address.isdigit()})
            if len(digits) != 1:
                self._note(f"UM dial plan {name}: extension_digits {(digits or [5])[0]} assumed: no user tells")
            sip = any("@" in eum.address for eum in mine)
            self._note(
                f"UM dial plan {name}: {'SipName by its users, ' if sip else 'TelExtn assumed, '}VoIP security "
                f"{'Secured' if sip else 'Unsecured'} assumed: compare with Get-UMDialPlan"
            )
            numbers = thing.values.get("msexchumvoicemailpilotnumbers", ())
            for number in numbers:
                if not is_e164(number):
                    self._note(f"UM dial plan {name}: access number {number!r} is not E.164: left out")
            self._rest("UM dial plan", thing, read)
            yield o.UMDialPlan(
                name=name,
                phone_context=context,
                uri_type=UriType.SIP_NAME if sip else UriType.TEL_EXTN,
                voip_security=VoIPSecurity.SECURED if sip else VoIPSecurity.UNSECURED,
                extension_digits=(digits or [5])[0],
                access_numbers=tuple(number for number in numbers if is_e164(number)),
            )

    def _policies(self, plans: Mapping[DN, str], users: list[o.User]) -> Iterator[o.UMMailboxPolicy]:
        for thing in self._find("msExchUMRecipientTemplate"):
            name = thing.dn.name
            told = [*thing.links(plans), *(u.um_dial_plan for u in users if u.um_mailbox_policy == name)]
            self._rest("UM mailbox policy", thing, self._read_links(thing, plans))
            if told:
                yield o.UMMailboxPolicy(name=name, dial_plan=told[0])
            else:
                self._note(f"UM mailbox policy {name}: nothing tells its dial plan: left out")

    def _read_links(self, thing: _Thing, targets: Mapping[DN, str]) -> set[str]:
        return {key for key, values in thing.values.items() if _Thing(thing.dn, {key: values}).links(targets)}

    def _gateways(self, plans: Mapping[DN, str]) -> Iterator[object]:
        groups = self._find("msExchUMHuntGroup")
        for thing in self._find("msExchUMIPGateway"):
            hosts = {k: v[0] for k, v in thing.values.items() if k not in _OF_EVERY_ENTRY and v and _HOST.match(v[0])}
            address = next(iter(hosts.values()), thing.dn.name)
            plain = bool(re.fullmatch(r"[0-9.]+", address))
            self._note(
                f"UM IP gateway {thing.dn.name}: {'plain TCP' if plain else 'TLS'} assumed by its address {address}"
            )
            self._rest("UM IP gateway", thing, set(hosts))
            port = 5060 if plain else 5061
            yield o.UMIPGateway(
                name=thing.dn.name, address=address, port=port, transport=Transport.TCP if plain else Transport.TLS
            )
            for group in (group for group in groups if group.dn.parent == thing.dn):
                links = group.links(plans)
                self._rest("UM hunt group", group, self._read_links(group, plans))
                if links:
                    yield o.UMHuntGroup(
                        name=group.dn.name, gateway=thing.dn.name, dial_plan=links[0], pilot_identifier=group.dn.name
                    )
                else:
                    self._note(f"UM hunt group {group.dn.name}: nothing tells its dial plan: left out")

    def _attendants(self, plans: Mapping[DN, str]) -> Iterator[o.UMAutoAttendant]:
        for thing in self._find("msExchUMAutoAttendant"):
            links = thing.links(plans)
            pilots = thing.values.get("msexchumautoattendantdialednumbers", ())
            read = {"msexchumautoattendantdialednumbers", *self._read_links(thing, plans)}
            self._rest("UM auto attendant", thing, read)
            if links:
                kept = tuple(number for number in pilots if is_e164(number))
                yield o.UMAutoAttendant(
                    name=thing.dn.name, dial_plan=links[0], pilot_identifiers=kept, enabled=True, speech_enabled=True
                )
            else:
                self._note(f"UM auto attendant {thing.dn.name}: nothing tells its dial plan: left out")

    def _servers(self, plans: Mapping[DN, str]) -> Iterator[o.MessagingServer]:
        for thing in self._find("msExchExchangeServer"):
            addresses = [text.partition(":")[2] for text in thing.values.get("networkaddress", ()) if "tcp:" in text]
            number = re.match(r"Version (\d+)\.(\d+)", thing.first("serialNumber"))
            version = _VERSIONS.get(f"{number[1]}.{number[2]}", _VERSIONS.get(number[1], "")) if number else ""
            bits = int(thing.first("msExchCurrentServerRoles") or 0)
            named = _ROLES if version in ("2007", "2010") else _ROLES_2013
            roles = tuple(role for bit, role in named.items() if bits & bit)
            if not version or not roles:
                self._note(f"messaging server {thing.dn.name}: version {thing.first('serialNumber')!r} or roles unread")
            links = tuple(thing.links(plans))
            fqdn = next(iter(addresses), f"{thing.dn.name}.{self._forest}").lower()
            self._note(f"messaging server {fqdn}: startup mode and certificate for UM unread: see Get-UMService")
            yield o.MessagingServer(
                fqdn=fqdn,
                kind=ServerKind.EXCHANGE,
                version=f"Exchange {version}",
                roles=roles,
                dial_plans=links,
                startup_mode=StartupMode.DUAL,
                certificate_thumbprint="(unread)",
            )

    def _pools(self) -> Iterator[o.VoicePool]:
        for thing in self._find("msRTCSIP-Pool"):
            fqdn = (thing.first("dNSHostName") or thing.dn.name).lower()
            bits = int(thing.first("msRTCSIP-PoolType") or _STANDARD_EDITION)
            type_ = PoolType.STANDARD_EDITION if bits & _STANDARD_EDITION else PoolType.FRONT_END
            yield o.VoicePool(
                fqdn=fqdn,
                kind=PoolKind.LYNC,
                pool_type=type_,
                servers=(fqdn,) if type_ is PoolType.STANDARD_EDITION else (),
                media_encryption=MediaEncryption.REQUIRE,
                digest=tuple(DigestAlgorithm),
            )

    def _users(self, plans: Mapping[DN, str], policies: Mapping[DN, str], pools: list[str]) -> Iterator[o.User]:
        for thing in self._find("user", people=True):
            flags = int(thing.first("msExchUMEnabledFlags") or 0)
            if "computer" in thing.values.get("objectclass", ()) or not (
                flags & 1 or thing.first("msRTCSIP-UserEnabled")
            ):
                continue
            home = thing.first("msRTCSIP-PrimaryHomeServer").lower()
            account = thing.first("sAMAccountName")
            yield o.User(
                account=account,
                container=str(thing.dn.parent),
                cn=thing.dn.name if thing.dn.name != account else "",
                display_name=thing.first("displayName"),
                mail=thing.first("mail"),
                sip_address=thing.first("msRTCSIP-PrimaryUserAddress"),
                sip_enabled=thing.first("msRTCSIP-UserEnabled").upper() == "TRUE",
                line_uri=thing.first("msRTCSIP-Line"),
                option_flags=int(thing.first("msRTCSIP-OptionFlags") or 0),
                home_pool=next(
                    (pool for pool in pools if f"cn={pool}," in home or f"cn={pool.split('.')[0]}," in home), ""
                ),
                proxy_addresses=thing.values.get("proxyaddresses", ()),
                um_flags=flags,
                um_mailbox_policy=self._named(thing.first("msExchUMTemplateLink"), policies),
                um_dial_plan=self._named(thing.first("msExchUMRecipientDialPlanLink"), plans),
            )

    @staticmethod
    def _named(text: str, targets: Mapping[DN, str]) -> str:
        return next(iter(_Thing(DN(()), {"": (text,)}).links(targets)), "")

    def _contacts(self) -> None:
        for thing in self._find("contact", people=True):
            if thing.first("msRTCSIP-SourceObjectType") == str(o.UM_CONTACT):
                number = thing.first("msRTCSIP-Line").removeprefix("tel:")
                self._note(
                    f"contact {thing.first('displayName') or thing.dn.name} ({number}): what it points to is in "
                    f"otherIpPhone, whose form is not public ({thing.first('otherIpPhone')[:60]!r})"
                )
