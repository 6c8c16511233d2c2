"""A forest that Exchange's and Lync's own setup have prepared, as public descriptions have it: what is in it, entry by entry.

The same entries stand in Samba (tests/peers) and in memory (the tests beside this file). Microsoft's classes and attributes are
called as published; where a name is not published, an attribute stands in for it that has its words (``StandIn``), since only
the words are looked for.

Sources: shared/domain/real-servers.md part F; Microsoft's schema references of Lync Server 2013; CSS-Exchange for the
identifiers of well-known groups.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tandem.directory import filters
from tandem.directory.dn import DN
from tandem.directory.layout import domain_of
from tandem.directory.ldap.descriptor import RawAce
from tandem.directory.ldap.things import Thing
from tandem.directory.port import Scope

TEXT, NUMBER, TRUTH, LINK = ("2.5.5.12", "64"), ("2.5.5.9", "2"), ("2.5.5.8", "1"), ("2.5.5.1", "127")
PUBLISHED = {
    "msExchUMVoiceMailPilotNumbers": (*TEXT, False),
    "msExchUMAutoAttendantDialedNumbers": (*TEXT, False),
    "msExchCurrentServerRoles": (*NUMBER, True),
    "msExchUMServerDialPlanLink": (*LINK, False),
    "msExchUMEnabledFlags": (*NUMBER, True),
    "msExchUMTemplateLink": (*LINK, True),
    "msExchUMRecipientDialPlanLink": (*LINK, True),
    "msRTCSIP-PrimaryUserAddress": (*TEXT, True),
    "msRTCSIP-UserEnabled": (*TRUTH, True),
    "msRTCSIP-Line": (*TEXT, True),
    "msRTCSIP-OptionFlags": (*NUMBER, True),
    "msRTCSIP-PrimaryHomeServer": (*LINK, True),
    "msRTCSIP-SourceObjectType": (*NUMBER, True),
    "msRTCSIP-PoolType": (*NUMBER, True),
    "msRTCSIP-PoolData": (*TEXT, False),
    "msRTCSIP-TrustedServerFQDN": (*TEXT, True),
    "msRTCSIP-RoutingPoolDN": (*LINK, True),
}
STAND_INS = {
    "msExchUMStandInPhoneContext": (*TEXT, True),
    "msExchUMStandInNumberOfDigits": (*NUMBER, True),
    "msExchUMStandInURIType": (*NUMBER, True),
    "msExchUMStandInVoIPSecurity": (*NUMBER, True),
    "msExchUMStandInGatewayAddress": (*TEXT, True),
    "msExchUMStandInPort": (*NUMBER, True),
    "msExchUMStandInOutcallsAllowed": (*TRUTH, True),
    "msExchUMStandInMessageWaitingAllowed": (*TRUTH, True),
    "msExchUMStandInGatewayStatus": (*NUMBER, True),
    "msExchUMStandInPilotIdentifier": (*TEXT, True),
    "msExchUMStandInAttendantStatus": (*NUMBER, True),
    "msExchUMStandInSpeechEnabled": (*TRUTH, True),
    "msExchUMStandInStartupMode": (*NUMBER, True),
    "msExchUMStandInDialPlanLink": (*LINK, False),
    "msExchUMStandInSomethingElse": (*NUMBER, True),
}
ATTRIBUTES: dict[str, tuple[str, str, bool]] = {**PUBLISHED, **STAND_INS}
_LINK = "msExchUMStandInDialPlanLink"
CLASSES: dict[str, tuple[str, ...]] = {
    "msExchOrganizationContainer": (),
    "msExchUMDialPlan": (
        *("msExchUMVoiceMailPilotNumbers", "msExchUMStandInPhoneContext", "msExchUMStandInNumberOfDigits"),
        *("msExchUMStandInURIType", "msExchUMStandInVoIPSecurity", "msExchUMStandInSomethingElse"),
    ),
    "msExchUMIPGateway": (
        *("msExchUMStandInGatewayAddress", "msExchUMStandInPort", "msExchUMStandInOutcallsAllowed"),
        *("msExchUMStandInMessageWaitingAllowed", "msExchUMStandInGatewayStatus"),
    ),
    "msExchUMHuntGroup": (_LINK, "msExchUMStandInPilotIdentifier"),
    "msExchUMAutoAttendant": (
        *("msExchUMAutoAttendantDialedNumbers", _LINK, "msExchUMStandInAttendantStatus"),
        "msExchUMStandInSpeechEnabled",
    ),
    "msExchUMRecipientTemplate": (_LINK,),
    "msExchExchangeServer": (
        *("networkAddress", "serialNumber", "msExchCurrentServerRoles", "msExchUMServerDialPlanLink"),
        "msExchUMStandInStartupMode",
    ),
    "msExchExchangeTransportServer": (),
    "msRTCSIP-Service": (),
    "msRTCSIP-GlobalContainer": (),
    "msRTCSIP-TrustedServices": (),
    "msRTCSIP-Pools": (),
    "msRTCSIP-Pool": ("dNSHostName", "msRTCSIP-PoolType", "msRTCSIP-PoolData"),
    "msRTCSIP-TrustedServer": ("msRTCSIP-TrustedServerFQDN",),
    "msRTCSIP-TrustedService": ("msRTCSIP-TrustedServerFQDN", "msRTCSIP-RoutingPoolDN"),
}
"""Each with what its entries may hold."""
SUBCLASSES = {"msExchExchangeTransportServer": "msExchExchangeServer"}
WELL_KNOWN = {
    "Organization Management": "C262A929D691B74A9E068728F8F842EA",
    "Recipient Management": "DB72C41D49580A4DB304FE6981E56297",
    "UM Management": "E80CDFB75697934981C898B4DBC5A0C6",
    "Server Management": "4DB8E7754EB6C1439565612E69A80A4F",
    "Exchange Servers": "A7D2016C83F003458132789EEB127B84",
}
EXCHANGE_OU = "OU=Microsoft Exchange Security Groups"
GROUP = "Exchange Administrative Group (FYDIBOHF23SPDLT)"
UNIVERSAL_SECURITY_GROUP = "-2147483640"
SID = "S-1-5-21-1-2-3"
RTC_GROUPS = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices")


@dataclass(frozen=True, slots=True)
class Made:
    """An entry: its name, its class, its values."""

    dn: str
    class_: str
    values: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class ForeignEntries:
    """The entries of one forest, in an order in which they can be made."""

    forest: str
    organization: str = "Contoso"
    in_system: bool = False
    entries: list[Made] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)
    """The members of groups by the group's name in full: to be set when all entries are made."""

    @property
    def domain(self) -> str:
        """The root domain."""
        return str(domain_of(self.forest))

    @property
    def services(self) -> str:
        """Services of the configuration."""
        return f"CN=Services,CN=Configuration,{self.domain}"

    @property
    def exchange(self) -> str:
        """The messaging organization."""
        return f"CN={self.organization},CN=Microsoft Exchange,{self.services}"

    @property
    def servers(self) -> str:
        """The container of Exchange servers."""
        return f"CN=Servers,CN={GROUP},CN=Administrative Groups,{self.exchange}"

    @property
    def rtc(self) -> str:
        """RTC Service."""
        return f"CN=RTC Service,{f'CN=Microsoft,CN=System,{self.domain}' if self.in_system else self.services}"

    def add(self, dn: str, class_: str, values: Mapping[str, str | Sequence[str]] | None = None) -> str:
        """Add an entry; gives its name."""
        held = {key: [each] if isinstance(each, str) else list(each) for key, each in (values or {}).items()}
        self.entries.append(Made(dn, class_, held))
        return dn

    def add_groups(self) -> None:
        """Exchange's groups in their OU (Organization Management was moved away), and Lync's in Users."""
        self.add(f"{EXCHANGE_OU},{self.domain}", "organizationalUnit")
        self.add(f"OU=Admins,{self.domain}", "organizationalUnit")
        for name in (*WELL_KNOWN, *RTC_GROUPS):
            at = "OU=Admins" if name == "Organization Management" else EXCHANGE_OU
            at = "CN=Users" if name in RTC_GROUPS else at
            self.add(
                f"CN={name},{at},{self.domain}",
                "group",
                {"sAMAccountName": name, "groupType": UNIVERSAL_SECURITY_GROUP},
            )

    def group(self, name: str) -> str:
        """Where a group was made."""
        return next(each.dn for each in self.entries if each.class_ == "group" and each.dn.startswith(f"CN={name},"))

    def join(self, group: str, *members: str) -> None:
        """Put accounts into a group."""
        self.members.setdefault(self.group(group), []).extend(members)

    def add_exchange(self) -> None:
        """The containers of a messaging organization."""
        known = [f"B:32:{guid}:{self.group(name)}" for name, guid in WELL_KNOWN.items()]
        self.add(f"CN=Microsoft Exchange,{self.services}", "container", {"otherWellKnownObjects": known})
        self.add(self.exchange, "msExchOrganizationContainer")
        for name in (
            *("UM DialPlan Container", "UM IPGateway Container", "UM AutoAttendant Container", "UM Mailbox Policies"),
            *("Administrative Groups", f"{GROUP},CN=Administrative Groups"),
            f"Servers,CN={GROUP},CN=Administrative Groups",
        ):
            self.add(f"CN={name},{self.exchange}", "container")

    def add_plan(self, name: str, values: Mapping[str, str | Sequence[str]] | None = None) -> str:
        """A dial plan with its default policy."""
        plan = self.add(f"CN={name},CN=UM DialPlan Container,{self.exchange}", "msExchUMDialPlan", values)
        policy = f"CN={name} Default Policy,CN=UM Mailbox Policies,{self.exchange}"
        self.add(policy, "msExchUMRecipientTemplate", {_LINK: plan})
        return plan

    def add_gateway(self, name: str, plan: str, values: Mapping[str, str], pilot: str = "Main") -> None:
        """A UM IP gateway with one hunt group."""
        gateway = self.add(f"CN={name},CN=UM IPGateway Container,{self.exchange}", "msExchUMIPGateway", values)
        more = {"msExchUMStandInPilotIdentifier": pilot} if pilot else {}
        self.add(f"CN=Main,{gateway}", "msExchUMHuntGroup", {_LINK: plan, **more})

    def add_server(self, name: str, version: str, roles: int, plan: str = "") -> None:
        """An Exchange server."""
        links = {"msExchUMServerDialPlanLink": plan} if plan else {}
        self.add(
            f"CN={name},{self.servers}",
            "msExchExchangeServer",
            {
                "networkAddress": [f"ncacn_ip_tcp:{name.lower()}.{self.forest}", f"netbios:{name}"],
                "serialNumber": version,
                "msExchCurrentServerRoles": str(roles),
                "msExchUMStandInStartupMode": "2",
                **links,
            },
        )

    def add_lync(self) -> None:
        """RTC Service with its containers."""
        self.add(self.rtc, "msRTCSIP-Service")
        self.add(f"CN=Global Settings,{self.rtc}", "msRTCSIP-GlobalContainer")
        self.add(f"CN=Trusted Services,{self.rtc}", "msRTCSIP-TrustedServices")
        self.add(f"CN=Pools,{self.rtc}", "msRTCSIP-Pools")

    def add_pool(self, cn: str, fqdn: str, kind: str, type_: int, servers: Sequence[str] = ()) -> str:
        """A pool, which its number names, with its trusted servers; gives the name of its home server."""
        values = {"dNSHostName": fqdn, "msRTCSIP-PoolType": str(type_), "msRTCSIP-PoolData": f"ExtendedType={kind}"}
        pool = self.add(f"CN={cn},CN=Pools,{self.rtc}", "msRTCSIP-Pool", values)
        self.add(f"CN=Microsoft,{pool}", "container")
        home = self.add(f"CN=Lc Services,CN=Microsoft,{pool}", "container")
        for each in (fqdn, *servers):
            trusted = {"msRTCSIP-TrustedServerFQDN": each}
            self.add(f"CN={{{each}}},CN=Global Settings,{self.rtc}", "msRTCSIP-TrustedServer", trusted)
            service = trusted | {"msRTCSIP-RoutingPoolDN": home}
            self.add(f"CN={{{each}}},CN=Trusted Services,{self.rtc}", "msRTCSIP-TrustedService", service)
        return home

    def add_user(self, name: str, extension: str, home: str, plan: str) -> str:
        """A user of both sides, as Enable-UMMailbox and Enable-CsUser leave one."""
        account, context = name.split()[0].lower(), f"{DN.parse(plan).name}.{self.forest}"
        return self.add(
            f"CN={name},CN=Users,{self.domain}",
            "user",
            {
                "sAMAccountName": account,
                "displayName": name,
                "mail": f"{account}@{self.forest}",
                "proxyAddresses": [
                    f"SMTP:{account}@{self.forest}",
                    f"EUM:{account}@{self.forest};phone-context={context}",
                    f"eum:{extension};phone-context={context}",
                ],
                "msExchUMEnabledFlags": "829",
                "msExchUMTemplateLink": f"CN=Main Default Policy,CN=UM Mailbox Policies,{self.exchange}",
                "msExchUMRecipientDialPlanLink": plan,
                "msRTCSIP-PrimaryUserAddress": f"sip:{account}@{self.forest}",
                "msRTCSIP-UserEnabled": "TRUE",
                "msRTCSIP-Line": f"tel:+1425555{extension}",
                "msRTCSIP-OptionFlags": "384",
                "msRTCSIP-PrimaryHomeServer": home,
            },
        )

    def add_contact(self, name: str, number: str, home: str) -> None:
        """A contact of UM, as OcsUmUtil makes it, but that the form of otherIpPhone is not known."""
        self.add(
            f"CN={name},CN=Users,{self.domain}",
            "contact",
            {
                "displayName": name,
                "msRTCSIP-PrimaryUserAddress": f"sip:{name.replace(' ', '').lower()}@{self.forest}",
                "msRTCSIP-SourceObjectType": "-1879048192",
                "msRTCSIP-UserEnabled": "TRUE",
                "msRTCSIP-OptionFlags": "384",
                "msRTCSIP-Line": f"tel:{number}",
                "msRTCSIP-PrimaryHomeServer": home,
                "otherIpPhone": "whatever this says",
            },
        )


def contoso() -> ForeignEntries:
    """One forest with Exchange 2010 SP3 and 2013, and Lync 2013 with an Enterprise pool, a Director and a branch."""
    made = ForeignEntries("contoso.example")
    made.add_groups()
    made.add_exchange()
    plan = made.add_plan(
        "Main",
        {
            "msExchUMVoiceMailPilotNumbers": ["+14255550100", "0100"],
            "msExchUMStandInPhoneContext": "Main.contoso.example",
            "msExchUMStandInNumberOfDigits": "4",
            "msExchUMStandInURIType": "2",
            "msExchUMStandInVoIPSecurity": "3",
            "msExchUMStandInSomethingElse": "42",
        },
    )
    made.add_gateway(
        "1:1",
        plan,
        {
            "msExchUMStandInGatewayAddress": "pool1.contoso.example",
            "msExchUMStandInPort": "5060",
            "msExchUMStandInOutcallsAllowed": "TRUE",
            "msExchUMStandInMessageWaitingAllowed": "TRUE",
            "msExchUMStandInGatewayStatus": "0",
        },
    )
    made.add(
        f"CN=Reception,CN=UM AutoAttendant Container,{made.exchange}",
        "msExchUMAutoAttendant",
        {
            "msExchUMAutoAttendantDialedNumbers": "+14255550101",
            _LINK: plan,
            "msExchUMStandInAttendantStatus": "0",
            "msExchUMStandInSpeechEnabled": "TRUE",
        },
    )
    made.add_server("EX10UM1", "Version 14.3 (Build 30123.4)", 16, plan)
    made.add_server("EX10HUB1", "Version 14.3 (Build 30123.4)", 38)
    made.add_server("EX13MBX1", "Version 15.0 (Build 31497.2)", 54, plan)
    made.add_server("EX13CAS1", "Version 15.0 (Build 31497.2)", 16385)
    for name in ("EX13MBX1", "EX13CAS1"):
        made.add(f"CN=Frontend,CN={name},{made.servers}", "msExchExchangeTransportServer")
    made.add_lync()
    home = made.add_pool(
        "1:1", "pool1.contoso.example", "CentralRegistrar", 10, ("fe1.contoso.example", "fe2.contoso.example")
    )
    made.add_pool("1:2", "dir1.contoso.example", "Director", 10, ("d1.contoso.example",))
    branch = made.add_pool("1:3", "sba1.contoso.example", "RemoteRegistrar", 5)
    alice = made.add_user("Alice Adams", "4101", home, plan)
    made.add_user("Bob Brown", "4102", branch, plan)
    xena = made.add(f"CN=Xena,CN=Users,{made.domain}", "user", {"sAMAccountName": "xena", "displayName": "Xena"})
    made.join("Organization Management", xena)
    made.join("RTCUniversalServerAdmins", alice)
    made.add_contact("UM Main", "+14255550100", home)
    return made


def windows_groups(
    forest: str, names: Sequence[str] = ("Domain Admins", "Enterprise Admins", "Administrators")
) -> Iterator[Made]:
    """What every domain has from the beginning: its root, its administrator and three groups, whatever these are called."""
    domain = str(domain_of(forest))
    yield Made(domain, "domainDNS", {"objectSid": [SID]})
    administrator = f"CN=Administrator,CN=Users,{domain}"
    yield Made(administrator, "user", {"sAMAccountName": ["Administrator"], "objectSid": [f"{SID}-500"]})
    ada = f"CN=Ada,CN=Users,{domain}"
    yield Made(ada, "user", {"sAMAccountName": ["ada"], "objectSid": [f"{SID}-1101"]})
    for name, sid, at in zip(
        names, (f"{SID}-512", f"{SID}-519", "S-1-5-32-544"), ("CN=Users", "CN=Users", "CN=Builtin"), strict=True
    ):
        values = {"sAMAccountName": [name], "objectSid": [sid], "member": [administrator, ada]}
        yield Made(f"CN={name},{at},{domain}", "group", values)


def schema_of(forest: str) -> Iterator[Made]:
    """The schema's own entries of these classes and attributes."""
    base = f"CN=Schema,CN=Configuration,{domain_of(forest)}"
    for name, (syntax, _, _) in ATTRIBUTES.items():
        yield Made(f"CN={name},{base}", "attributeSchema", {"lDAPDisplayName": [name], "attributeSyntax": [syntax]})
    for name, held in CLASSES.items():
        above = SUBCLASSES.get(name, "top")
        yield Made(
            f"CN={name},{base}",
            "classSchema",
            {"lDAPDisplayName": [name], "subClassOf": [above], "mayContain": list(held)},
        )


class MemoryForest:
    """A forest in memory, as the readers take it. ``aces`` are the access control entries of entries, by name."""

    def __init__(self, made: ForeignEntries, *more: Made, aces: Mapping[str, Sequence[RawAce]] | None = None) -> None:
        self.name = made.forest
        self._aces = {DN.parse(text): tuple(held) for text, held in (aces or {}).items()}
        self.things = [_thing(each, made.members) for each in (*more, *made.entries, *schema_of(made.forest))]

    def find(self, base: DN, filter_: str, scope: Scope = Scope.SUBTREE, /) -> list[Thing]:
        """Entries at or below a base."""
        wanted = filters.parse_filter(filter_)
        held = (each for each in self.things if each.dn.below(base) and (scope is not Scope.BASE or each.dn == base))
        inside = DN.parse(f"CN=Configuration,{domain_of(self.name)}")
        # A search of a domain does not go into the configuration.
        return [t for t in held if t.dn.below(inside) == base.below(inside) and wanted.match(t.all)]

    def records(self, dn: DN) -> tuple[RawAce, ...]:
        """The entries of an ACL."""
        return self._aces.get(dn, ())

    def principal(self, sid: str) -> DN | None:
        """The entry with an identifier."""
        return next((each.dn for each in self.things if each.first("objectSid") == sid), None)


def _thing(made: Made, members: Mapping[str, Sequence[str]]) -> Thing:
    classes = ["top", made.class_]
    if made.class_ in SUBCLASSES:
        classes.insert(1, SUBCLASSES[made.class_])
    values = {key.lower(): tuple(held) for key, held in made.values.items()}
    if made.dn in members:
        values["member"] = tuple(members[made.dn])
    return Thing(DN.parse(made.dn), {**values, "objectclass": tuple(classes), "cn": (DN.parse(made.dn).name,)})
