"""Exchange's UM objects and servers.

Classes, containers and a few attributes are published: pilot numbers of dial plans (``msExchUMVoiceMailPilotNumbers``) and
attendants (``msExchUMAutoAttendantDialedNumbers``), a server's version, addresses and roles. What names a dial plan is a link
to it, under whatever name. Other attributes are looked for in the forest's own schema (:mod:`.names`); a dial plan's phone
context, digits and URI type are also told by the EUM addresses of its users.
"""

import re
from collections.abc import Iterator, Sequence

from tandem.directory import objects as o
from tandem.directory.found import runs_um
from tandem.directory.ldap.exchange.names import Read, SchemaNames, Syntax
from tandem.directory.ldap.exchange.source import ForestReport
from tandem.directory.ldap.exchange.versions import product_of, roles_of
from tandem.directory.ldap.things import Thing
from tandem.org.numbers import EumAddress, is_e164
from tandem.org.vocabulary import ServerKind, ServerRole, StartupMode, Transport, UriType, VoIPSecurity

ADDED_DIGITS = 5
"""What stands for the number of digits where nothing tells it: a dial plan cannot be declared without."""
_PILOTS = "msexchumvoicemailpilotnumbers"
_DIALED = "msexchumautoattendantdialednumbers"
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")
_NUMBERS = re.compile(r"[0-9.]+\Z")
_ASK = "tandem observe, or "


class MessagingReader:
    """The UM objects of one forest's Exchange organization; ``plans`` are its dial plans by where they are."""

    def __init__(self, report: ForestReport, names: SchemaNames) -> None:
        self._report, self._names = report, names
        self.plans = {thing.dn: thing.dn.name for thing in report.things("msExchUMDialPlan")}

    def dial_plans(self, users: Sequence[o.User]) -> Iterator[o.UMDialPlan]:
        """Each with what its users' EUM addresses tell of it."""
        for thing in self._report.things("msExchUMDialPlan"):
            name = thing.dn.name
            mine = [eum for user in users if user.um_dial_plan == name for eum in user.eum_addresses]
            read = {_PILOTS}
            self._coded(thing, "voip_security", read, "security")
            yield o.UMDialPlan(
                name=name,
                phone_context=self._phone_context(thing, mine, read),
                uri_type=self._uri_type(thing, mine, read),
                voip_security=VoIPSecurity.SECURED,
                extension_digits=self._digits(thing, mine, read),
                access_numbers=self._numbers("UM dial plan", "access number", thing, _PILOTS),
            )
            why = f"country code, language, operator and durations are not looked for ({_ASK}Get-UMDialPlan)"
            self._report.unread(o.UMDialPlan, name, "other settings", why)
            self._report.rest("UM dial plan", thing, read)

    def _phone_context(self, thing: Thing, mine: Sequence[EumAddress], read: set[str]) -> str:
        name, told = thing.dn.name, self._names.read(thing, "msExchUMDialPlan", Syntax.TEXT, "phone", "context")
        contexts = sorted({eum.phone_context for eum in mine})
        read |= {key for key, values in thing.values.items() if set(contexts).intersection(values)}
        if told.text:
            read.add(told.attribute)
            return told.text
        if len(contexts) == 1:
            self._report.note(f"UM dial plan {name}: phone context {contexts[0]} by the EUM addresses of its users")
            return contexts[0]
        why = f"{told.why}, and its users' EUM addresses have {len(contexts)} of them ({_ASK}Get-UMDialPlan)"
        self._report.unread(o.UMDialPlan, name, "phone_context", why)
        return f"{name}.{self._report.forest.name}"

    def _digits(self, thing: Thing, mine: Sequence[EumAddress], read: set[str]) -> int:
        name, told = thing.dn.name, self._names.read(thing, "msExchUMDialPlan", Syntax.NUMBER, "digits")
        if told.text.isdigit():
            read.add(told.attribute)
            return int(told.text)
        digits = sorted({len(eum.address) for eum in mine if eum.address.isdigit()})
        if len(digits) == 1:
            self._report.note(f"UM dial plan {name}: extension_digits {digits[0]} by the extensions of its users")
            return digits[0]
        why = f"{told.why}, and its users' extensions do not tell; {ADDED_DIGITS} only stands for it ({_ASK}Get-UMDialPlan)"
        self._report.unread(o.UMDialPlan, name, "extension_digits", why)
        return ADDED_DIGITS

    def _uri_type(self, thing: Thing, mine: Sequence[EumAddress], read: set[str]) -> UriType:
        kinds = {_kind_of(eum.address) for eum in mine}
        for kind in (UriType.SIP_NAME, UriType.E164, UriType.TEL_EXTN):
            if kind in kinds:  # users of the first two have an extension beside
                self._report.note(f"UM dial plan {thing.dn.name}: {kind} by the EUM addresses of its users")
                read.add(self._names.read(thing, "msExchUMDialPlan", Syntax.NUMBER, "uri", "type").attribute)
                return kind
        self._coded(thing, "uri_type", read, "uri", "type")
        return UriType.SIP_NAME

    def _coded(self, thing: Thing, field: str, read: set[str], *words: str) -> None:
        """A word that the directory keeps as a number: which number is which is not published."""
        told = self._names.read(thing, "msExchUMDialPlan", Syntax.NUMBER, *words)
        self._report.unread(o.UMDialPlan, thing.dn.name, field, _code(told, "Get-UMDialPlan"))
        read.add(told.attribute)

    def _numbers(self, what: str, kind: str, thing: Thing, attribute: str) -> tuple[str, ...]:
        for number in thing.all(attribute):
            if not is_e164(number):
                self._report.note(f"{what} {thing.dn.name}: {kind} {number!r} is not E.164: left out")
        return tuple(number for number in thing.all(attribute) if is_e164(number))

    def policies(self, users: Sequence[o.User]) -> Iterator[o.UMMailboxPolicy]:
        """UM mailbox policies: their settings are not read, only their dial plan."""
        for thing in self._report.things("msExchUMRecipientTemplate"):
            name, links = thing.dn.name, thing.links(self.plans)
            told = [*links, *(user.um_dial_plan for user in users if user.um_mailbox_policy == name)]
            self._report.rest("UM mailbox policy", thing, set(links.values()))
            if told:
                why = f"PIN rules, notifications and texts are not looked for ({_ASK}Get-UMMailboxPolicy)"
                self._report.unread(o.UMMailboxPolicy, name, "other settings", why)
                yield o.UMMailboxPolicy(name=name, dial_plan=told[0])
            else:
                self._left_out("UM mailbox policy", thing)

    def gateways(self, pools: Sequence[str]) -> Iterator[o.UMIPGateway | o.UMHuntGroup]:
        """UM IP gateways, each with its hunt groups; one whose address is a voice pool's is spoken to over TLS."""
        groups = list(self._report.things("msExchUMHuntGroup"))
        for thing in self._report.things("msExchUMIPGateway"):
            gateway = self._gateway(thing, pools)
            if gateway is not None:
                yield gateway
                for group in (group for group in groups if group.dn.parent == thing.dn):
                    yield from self._hunt_group(group, gateway.name)

    def _gateway(self, thing: Thing, pools: Sequence[str]) -> o.UMIPGateway | None:
        name, class_ = thing.dn.name, "msExchUMIPGateway"
        address = self._names.read(thing, class_, Syntax.TEXT, "address")
        if not address.text:
            address = _only_host(thing)
        port = self._names.read(thing, class_, Syntax.NUMBER, "port")
        calls = self._names.read(thing, class_, Syntax.TRUTH, "outcalls")
        lamp = self._names.read(thing, class_, Syntax.TRUTH, "message", "waiting")
        status = self._names.read(thing, class_, Syntax.NUMBER, "status")
        self._report.rest("UM IP gateway", thing, {each.attribute for each in (address, port, calls, lamp, status)})
        if not address.text:
            self._report.unread(o.UMIPGateway, name, "address", f"{address.why}: left out ({_ASK}Get-UMIPGateway)")
            return None
        for field, told in (("port", port), ("outcalls_allowed", calls), ("mwi_allowed", lamp)):
            if not told.text:
                self._report.unread(o.UMIPGateway, name, field, f"{told.why} ({_ASK}Get-UMIPGateway)")
        self._report.unread(o.UMIPGateway, name, "status", _code(status, "Get-UMIPGateway"))
        return o.UMIPGateway(
            name=name,
            address=address.text,
            port=int(port.text or 5060),
            transport=Transport.TLS
            if address.text.lower() in pools or not _NUMBERS.match(address.text)
            else Transport.TCP,
            outcalls_allowed=calls.text.upper() != "FALSE",
            mwi_allowed=lamp.text.upper() != "FALSE",
        )

    def _hunt_group(self, thing: Thing, gateway: str) -> Iterator[o.UMHuntGroup]:
        links = thing.links(self.plans)
        pilot = self._names.read(thing, "msExchUMHuntGroup", Syntax.TEXT, "pilot")
        self._report.rest("UM hunt group", thing, {*links.values(), pilot.attribute})
        if not links:
            self._left_out("UM hunt group", thing)
            return
        if not pilot.text:
            name = f"{thing.dn.name} of {gateway}"
            self._report.unread(o.UMHuntGroup, name, "pilot_identifier", f"{pilot.why} ({_ASK}Get-UMHuntGroup)")
        yield o.UMHuntGroup(
            name=thing.dn.name,
            gateway=gateway,
            dial_plan=next(iter(links)),
            pilot_identifier=pilot.text or thing.dn.name,
        )

    def attendants(self) -> Iterator[o.UMAutoAttendant]:
        """UM auto attendants with their pilot identifiers."""
        class_ = "msExchUMAutoAttendant"
        for thing in self._report.things(class_):
            name, links = thing.dn.name, thing.links(self.plans)
            status = self._names.read(thing, class_, Syntax.NUMBER, "status")
            speech = self._names.read(thing, class_, Syntax.TRUTH, "speech", "enabled")
            kept = self._numbers("UM auto attendant", "pilot identifier", thing, _DIALED)
            self._report.rest(
                "UM auto attendant", thing, {_DIALED, *links.values(), status.attribute, speech.attribute}
            )
            if not links:
                self._left_out("UM auto attendant", thing)
                continue
            self._report.unread(o.UMAutoAttendant, name, "enabled", _code(status, "Get-UMAutoAttendant"))
            if not speech.text:
                why = f"{speech.why} ({_ASK}Get-UMAutoAttendant)"
                self._report.unread(o.UMAutoAttendant, name, "speech_enabled", why)
            yield o.UMAutoAttendant(
                name=name,
                dial_plan=next(iter(links)),
                pilot_identifiers=kept,
                enabled=True,
                speech_enabled=speech.text.upper() != "FALSE",
            )

    def servers(self) -> Iterator[o.MessagingServer]:
        """Messaging servers; not the objects of transport services that 2013 keeps below them."""
        for thing in self._report.things("msExchExchangeServer"):
            if "msexchexchangetransportserver" not in {each.lower() for each in thing.all("objectClass")}:
                yield self._server(thing)

    def _server(self, thing: Thing) -> o.MessagingServer:
        addresses = [text.partition(":")[2] for text in thing.all("networkAddress") if "ncacn_ip_tcp:" in text]
        fqdn = next(iter(addresses), f"{thing.dn.name}.{self._report.forest.name}").lower()
        version, roles = product_of(thing.first("serialNumber")), roles_of(thing)
        if not version:
            why = f"serialNumber is {thing.first('serialNumber')!r} ({_ASK}Get-ExchangeServer)"
            self._report.unread(o.MessagingServer, fqdn, "version", why)
        if not roles:
            why = f"msExchCurrentServerRoles is {thing.first('msExchCurrentServerRoles')!r} ({_ASK}Get-ExchangeServer)"
            self._report.unread(o.MessagingServer, fqdn, "roles", why)
        server = o.MessagingServer(
            fqdn=fqdn,
            kind=ServerKind.EXCHANGE,
            version=version,
            roles=roles,
            dial_plans=tuple(thing.links(self.plans)),
            startup_mode=StartupMode.DUAL,
            certificate_thumbprint="(not readable)",
        )
        if runs_um(server):
            self._of_um(thing, fqdn, version, roles)
        return server

    def _of_um(self, thing: Thing, fqdn: str, version: str, roles: Sequence[ServerRole]) -> None:
        """What is not read of a server's UM service and call router."""
        old = version.startswith(("Exchange 2007", "Exchange 2010"))
        where = "Get-UMServer" if old else "Get-UMService, Get-UMCallRouterSettings"
        mode = self._names.read(thing, "msExchExchangeServer", Syntax.NUMBER, "startup", "mode")
        why = _code(mode, where)
        if version.startswith("Exchange 2007"):
            why = "Exchange 2007 has none: its UM service takes it from its dial plans"
        self._report.unread(o.MessagingServer, fqdn, "startup_mode", why)
        why = f"certificates are on the server itself ({_ASK}Get-ExchangeCertificate)"
        self._report.unread(o.MessagingServer, fqdn, "certificate_thumbprint", why)
        if not old and roles and ServerRole.MAILBOX not in roles:
            why = f"of a call router they are not on the server's object ({_ASK}Get-UMCallRouterSettings)"
            self._report.unread(o.MessagingServer, fqdn, "dial_plans", why)

    def _left_out(self, what: str, thing: Thing) -> None:
        self._report.note(f"{what} {thing.dn.name}: nothing tells its dial plan: left out")


def _kind_of(address: str) -> UriType:
    """How a user is addressed by an EUM address (Enable-UMMailbox writes them)."""
    if "@" in address:
        return UriType.SIP_NAME
    return UriType.E164 if address.startswith("+") else UriType.TEL_EXTN


def _only_host(thing: Thing) -> Read:
    """The one value of an entry that can be the address of a host."""
    own = ("cn", "name", "distinguishedname", "admindisplayname")
    hosts = {key: v[0] for key, v in thing.values.items() if key not in own and v and _HOST.match(v[0])}
    if len(hosts) != 1:
        return Read(why=f"{len(hosts)} of its values can be an address")
    attribute, address = next(iter(hosts.items()))
    return Read(values=(address,), name=attribute)


def _code(told: Read, cmdlet: str) -> str:
    said = f"{told.name} is {told.text}, and which number means what is not published" if told.text else told.why
    return f"{said} ({_ASK}{cmdlet})"
