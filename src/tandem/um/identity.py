"""Who calls whom: which gateway sent an INVITE, which dial plan it is in, whose mailbox it wants, who the caller is. Pure.

The order is Exchange's: peer, transport against security, hunt group by pilot identifier, diverted user, called user. Auto
attendants and subscriber access are recognized by number and refused until they are there. Numbers are compared as numbers.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from tandem.directory import objects as o
from tandem.mail.headers import decoded
from tandem.org.numbers import number_of, user_key
from tandem.org.vocabulary import Transport, UMStatus, VoIPSecurity
from tandem.sip.headers import fields
from tandem.sip.headers.address import SipAddress
from tandem.sip.headers.diversion import Diversion
from tandem.sip.headers.history import diverted
from tandem.sip.headers.identity import Asserted, asserted
from tandem.sip.headers.uri import URI, parse_uri
from tandem.sip.message.grammar import same_host
from tandem.sip.message.message import Request
from tandem.um.config import UmConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class UmInvite:
    """What a request tells about its call. ``peer_names`` are of the peer's certificate; ``source`` is its IP address.

    ``pilot`` is the user part of the request URI; ``diversions`` are those whose user did not answer, the first first.
    """

    transport: str
    peer_names: frozenset[str]
    source: str
    pilot: str
    called: URI
    diversions: Sequence[Diversion]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxCall:
    """A call to answer for a user's mailbox. ``proven``: the gateway proved its name by a certificate."""

    user: o.User
    dial_plan: o.UMDialPlan
    gateway: o.UMIPGateway
    proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefusal:
    """Refuse with this status; ``why`` is logged, and told to trusted peers in a Warning header."""

    status: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdentity:
    """What is known of a caller; empty where it is not. ``address`` is the mail address of a user of the directory."""

    number: str = ""
    name: str = ""
    address: str = ""


def read_invite(request: Request, *, transport: str, peer_names: frozenset[str], source: str) -> UmInvite:
    """What classification needs of a request. Only an INVITE has diversions."""
    return UmInvite(
        transport=transport,
        peer_names=peer_names,
        source=source,
        pilot=parse_uri(request.uri).user or "",
        called=fields.to(request).uri,
        diversions=diverted(request) if request.method == "INVITE" else (),
    )


def find_gateway(config: UmConfig, call: UmInvite) -> o.UMIPGateway | CallRefusal:
    """The gateway that a call is from: by certificate name over TLS, by exact address otherwise."""
    if call.transport == Transport.TLS:
        found = [g for g in config.gateways if g.transport is Transport.TLS and g.address.lower() in call.peer_names]
    else:
        found = [g for g in config.gateways if g.transport == call.transport and same_host(g.address, call.source)]
    if not found:
        names = (call.transport == Transport.TLS and ", ".join(sorted(call.peer_names))) or call.source
        return CallRefusal(status=403, why=f"no UM IP gateway is known as {names} over {call.transport}")
    if found[0].status is not UMStatus.ENABLED:
        return CallRefusal(status=480, why=f"UM IP gateway {found[0].name} is {found[0].status}")
    return found[0]


def classify(config: UmConfig, call: UmInvite) -> MailboxCall | CallRefusal:
    """Decide about a call."""
    gateway = find_gateway(config, call)
    if isinstance(gateway, CallRefusal):
        return gateway
    groups = [g for g in config.hunt_groups if g.gateway == gateway.name]
    group = next((g for g in groups if user_key(g.pilot_identifier) == user_key(call.pilot)), None)
    if group is None:
        return CallRefusal(status=404, why=f"no hunt group of {gateway.name} has the pilot identifier {call.pilot!r}")
    plan = config.dial_plans.get(group.dial_plan)
    if plan is None:
        return CallRefusal(status=480, why=f"this server is not in UM dial plan {group.dial_plan}")
    if (plan.voip_security is VoIPSecurity.UNSECURED) != (call.transport != Transport.TLS):
        return CallRefusal(
            status=403,
            why=f"incompatible security: {call.transport}, but UM dial plan {plan.name} is {plan.voip_security}",
        )
    # A carrier's diversion, of somebody who is not of ours, does not hide whom the call is for now.
    wanted = [*(d.uri for d in call.diversions), call.called]
    for uri in wanted:
        if user := config.user_of(plan, uri.user or "", uri.host):
            return MailboxCall(user=user, dial_plan=plan, gateway=gateway, proven=gateway.transport is Transport.TLS)
    return _nobody(config, plan, call, wanted[0])


def _nobody(config: UmConfig, plan: o.UMDialPlan, call: UmInvite, wanted: URI) -> CallRefusal:
    """Why a call is for no mailbox: it is for one of UM's own numbers, or for a stranger."""
    called = f"+{number_of(call.called.user or '').removeprefix('+')}"
    if called in map(number_of, plan.access_numbers):
        return CallRefusal(status=480, why=f"{called}: subscriber access is not served by this release")
    for attendant in config.attendants:
        if attendant.dial_plan == plan.name and called in map(number_of, attendant.pilot_identifiers):
            why = f"{called} is auto attendant {attendant.name}: attendants are not served by this release"
            return CallRefusal(status=480, why=why)
    return CallRefusal(status=404, why=f"no UM-enabled user of dial plan {plan.name} is {wanted}")


def identify_caller(config: UmConfig, request: Request, *, proven: bool) -> CallerIdentity:
    """Who called, as far as it is known; only a gateway that proved itself is believed about identities."""
    caller = fields.from_(request)
    said = asserted(request).shown if proven else Asserted()
    sip, tel = said.sip, said.tel
    shown = sip or tel or caller
    if shown is caller and _anonymous(caller.uri):
        return CallerIdentity()
    known = config.by_sip.get(f"{shown.uri.user}@{shown.uri.host}".lower()) if sip else None
    line = known.line_uri if known else ""
    number = number_of(tel.uri.user or "") if tel else number_of(line)
    return CallerIdentity(
        number=(number or _shown(caller.uri) or _shown(shown.uri))[:64],
        name=(known.display_name if known else "") or _name(shown),
        address=known.mail if known else "",
    )


def _anonymous(uri: URI) -> bool:
    """A caller who is not to be known, as :rfc:`3323#section-4.1.1.3` and older gateways write it."""
    return (uri.user or "").lower() == "anonymous" or uri.host.lower() == "anonymous.invalid"


def _shown(uri: URI) -> str:
    """A caller's number, without what carriers add to it; or the SIP address of a caller who has none."""
    if not uri.user or _anonymous(uri):
        return ""
    return number_of(uri.user) or f"{uri.user.partition(';')[0]}@{uri.host}"


def _name(shown: SipAddress) -> str:
    """A display name for people. Some gateways send encoded words, as in mail: they are read once, then it is cleaned."""
    name = decoded(shown.name[:1024]) if "=?" in shown.name else shown.name
    return fields.display_name(dataclasses.replace(shown, name=name))
