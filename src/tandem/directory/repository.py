"""Objects to entries and back, by one table per type.

The same table serves every adapter, so that the embedded directory cannot drift from a real one.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.errors import BadEntry, NoSuchObject
from tandem.directory.filters import escape
from tandem.directory.layout import Layout
from tandem.directory.port import Entry, Scope, Session

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a type is kept: its classes, the field that names it, its container, and an attribute for each other field."""

    classes: tuple[str, ...]
    naming: str
    container: Callable[[Layout], DN]
    attributes: dict[str, str]
    references: dict[str, type] = dataclasses.field(default_factory=dict)
    below: str = ""
    """The field that holds the container's name itself (users, contacts: a DN; hunt groups: their gateway)."""


KINDS: dict[type, Kind] = {
    o.Group: Kind(
        classes=("top", "group"), naming="name", container=lambda at: at.users, attributes={"members": "member"}
    ),
    o.Computer: Kind(classes=("top", "computer"), naming="fqdn", container=lambda at: at.computers, attributes={}),
    o.User: Kind(
        classes=("top", "user"),
        naming="account",
        container=lambda at: at.domain,
        below="container",
        attributes={
            "display_name": "displayName",
            "mail": "mail",
            "sip_address": "msRTCSIP-PrimaryUserAddress",
            "sip_enabled": "msRTCSIP-UserEnabled",
            "line_uri": "msRTCSIP-Line",
            "option_flags": "msRTCSIP-OptionFlags",
            "home_pool": "msRTCSIP-PrimaryHomeServer",
            "proxy_addresses": "proxyAddresses",
            "um_flags": "msExchUMEnabledFlags",
            "um_mailbox_policy": "msExchUMTemplateLink",
            "um_dial_plan": "msExchUMRecipientDialPlanLink",
            "pin_state": "msExchUMPinState",
            "voice_dial_plan": "tandemVoiceDialPlan",
            "voice_policy": "tandemVoicePolicy",
        },
        references={"home_pool": o.VoicePool, "um_mailbox_policy": o.UMMailboxPolicy, "um_dial_plan": o.UMDialPlan},
    ),
    o.MessagingServer: Kind(
        classes=("top", "msExchExchangeServer"),
        naming="fqdn",
        container=lambda at: at.servers,
        attributes={
            "kind": "tandemKind",
            "version": "msExchVersion",
            "roles": "msExchUMRoles",
            "dial_plans": "msExchUMDialPlanLinks",
            "startup_mode": "msExchUMStartupMode",
            "status": "msExchUMServerStatus",
            "sip_tcp_port": "msExchUMTcpPort",
            "sip_tls_port": "msExchUMTlsPort",
            "certificate_thumbprint": "msExchUMCertificateThumbprint",
        },
        references={"dial_plans": o.UMDialPlan},
    ),
    o.VoicePool: Kind(
        classes=("top", "msRTCSIP-Pool"),
        naming="fqdn",
        container=lambda at: at.pools,
        attributes={
            "kind": "tandemKind",
            "pool_type": "msRTCSIP-PoolType",
            "servers": "tandemPoolServers",
            "media_encryption": "tandemMediaEncryption",
            "digest": "tandemDigest",
            "ring_s": "tandemRingSeconds",
            "sip_tls_port": "tandemTlsPort",
        },
    ),
    o.UMDialPlan: Kind(
        classes=("top", "msExchUMDialPlan"),
        naming="name",
        container=lambda at: at.um_dial_plans,
        attributes={
            "phone_context": "msExchUMPhoneContext",
            "uri_type": "msExchUMUriType",
            "voip_security": "msExchUMVoIPSecurity",
            "extension_digits": "msExchUMNumberOfDigits",
            "access_numbers": "msExchUMAccessTelephoneNumbers",
            "country_code": "msExchUMCountryCode",
            "language": "msExchUMDefaultLanguage",
            "operator_extension": "msExchUMOperatorExtension",
            "max_call_duration_min": "msExchUMMaxCallDuration",
            "max_recording_duration_min": "msExchUMMaxRecordingDuration",
            "recording_idle_timeout_s": "msExchUMRecordingIdleTimeout",
        },
    ),
    o.UMMailboxPolicy: Kind(
        classes=("top", "msExchUMRecipientTemplate"),
        naming="name",
        container=lambda at: at.um_mailbox_policies,
        attributes={
            "dial_plan": "msExchUMDialPlanLink",
            "min_pin_length": "msExchUMMinPINLength",
            "pin_lifetime_days": "msExchUMPINLifetime",
            "pin_history_count": "msExchUMPINHistoryCount",
            "logon_failures_before_pin_reset": "msExchUMLogonFailuresBeforePINReset",
            "max_logon_attempts": "msExchUMMaxLogonAttempts",
            "allow_missed_call_notifications": "msExchUMAllowMissedCallNotifications",
            "allow_message_waiting_indicator": "msExchUMAllowMWI",
            "um_enabled_text": "msExchUMEnabledText",
            "voice_mail_text": "msExchUMVoiceMailText",
        },
        references={"dial_plan": o.UMDialPlan},
    ),
    o.UMIPGateway: Kind(
        classes=("top", "msExchUMIPGateway"),
        naming="name",
        container=lambda at: at.um_ip_gateways,
        attributes={
            "address": "msExchUMIPGatewayAddress",
            "port": "msExchUMIPGatewayPort",
            "transport": "tandemTransport",
            "outcalls_allowed": "msExchUMOutcallsAllowed",
            "mwi_allowed": "msExchUMMWIAllowed",
            "status": "msExchUMIPGatewayStatus",
        },
    ),
    o.UMHuntGroup: Kind(
        classes=("top", "msExchUMHuntGroup"),
        naming="name",
        container=lambda at: at.um_ip_gateways,
        below="gateway",
        attributes={"dial_plan": "msExchUMDialPlanLink", "pilot_identifier": "msExchUMPilotIdentifier"},
        references={"dial_plan": o.UMDialPlan},
    ),
    o.Contact: Kind(
        classes=("top", "contact"),
        naming="name",
        container=lambda at: at.domain,
        below="container",
        attributes={
            "display_name": "displayName",
            "sip_address": "msRTCSIP-PrimaryUserAddress",
            "line_uri": "msRTCSIP-Line",
            "home_pool": "msRTCSIP-PrimaryHomeServer",
            "target": "otherIpPhone",
            "sip_enabled": "msRTCSIP-UserEnabled",
            "option_flags": "msRTCSIP-OptionFlags",
            "source_object_type": "msRTCSIP-SourceObjectType",
        },
        references={"home_pool": o.VoicePool},
    ),
    o.VoiceDialPlan: Kind(
        classes=("top", "tandemVoiceDialPlan"),
        naming="identity",
        container=lambda at: at.voice_dial_plans,
        attributes={"simple_name": "tandemSimpleName", "rules": "tandemNormalizationRules"},
    ),
    o.VoicePolicy: Kind(
        classes=("top", "tandemVoicePolicy"),
        naming="identity",
        container=lambda at: at.voice_policies,
        attributes={
            "allow_call_forwarding": "tandemAllowCallForwarding",
            "allow_simul_ring": "tandemAllowSimulRing",
            "enable_call_transfer": "tandemEnableCallTransfer",
            "pstn_usages": "tandemPstnUsages",
        },
    ),
}
_ACCOUNTS = (o.User, o.Computer)


class Repository:
    """Typed objects over a session."""

    def __init__(self, session: Session, layout: Layout) -> None:
        self.session = session
        self.layout = layout

    def dn_of(self, value: object) -> DN:
        """The name of an object's entry."""
        kind = KINDS[type(value)]
        name = str(getattr(value, kind.naming))
        if kind.below == "container":
            return DN.parse(str(getattr(value, "container"))).child("CN", name)  # noqa: B009 - not every type has it
        if kind.below:
            return kind.container(self.layout).child("CN", str(getattr(value, kind.below))).child("CN", name)
        return kind.container(self.layout).child("CN", name)

    def all(self, type_: type[T]) -> tuple[T, ...]:
        """Every object of a type that this session may see."""
        return self.find(type_, "(objectClass=*)")

    def find(self, type_: type[T], filter_: str) -> tuple[T, ...]:
        """Those that match a filter."""
        kind = KINDS[type_]
        both = f"(&(objectClass={kind.classes[-1]}){filter_})"
        entries = self.session.search(kind.container(self.layout), both, Scope.SUBTREE)
        return tuple(self._object(type_, entry) for entry in entries)

    def get(self, type_: type[T], name: str) -> T | None:
        """The one of this name (for users, the account)."""
        found = self.find(type_, f"(cn={escape(name)})")
        return found[0] if found else None

    def add(self, value: object) -> None:
        """Make the entry of an object."""
        kind = KINDS[type(value)]
        attributes: dict[str, Sequence[str]] = {"objectClass": kind.classes, "cn": (self.dn_of(value).name,)}
        if isinstance(value, _ACCOUNTS):
            attributes["sAMAccountName"] = (str(getattr(value, kind.naming)),)
        attributes.update({name: values for name, values in self.attributes(value).items() if values})
        self.session.add(self.dn_of(value), attributes)

    def update(self, before: object, after: object) -> None:
        """Write what differs; both have the same name."""
        old, new = self.attributes(before), self.attributes(after)
        changed = {name: values for name, values in new.items() if old[name] != values}
        if changed:
            self.session.replace(self.dn_of(after), changed)

    def remove(self, value: object) -> None:
        """Delete the entry."""
        self.session.delete(self.dn_of(value))

    def sip_secret(self, user: o.User) -> str:
        """The SIP secret, or an empty string: to whom the directory shows it."""
        entry = self.session.get(self.dn_of(user))
        return entry.first("tandemSipSecret") if entry else ""

    def set_sip_secret(self, user: o.User, secret: str) -> None:
        """Keep a user's SIP secret (confidential)."""
        self.session.replace(self.dn_of(user), {"tandemSipSecret": (secret,)})

    def attributes(self, value: object) -> dict[str, tuple[str, ...]]:
        """The attributes of an object but its name and class, as text."""
        kind = KINDS[type(value)]
        return {
            attribute: self._text(kind.references.get(field), getattr(value, field))
            for field, attribute in kind.attributes.items()
        }

    def _text(self, reference: type | None, value: Any) -> tuple[str, ...]:
        match value:
            case "" | ():
                return ()
            case tuple():
                return tuple(text for each in value for text in self._text(reference, each))
            case bool():
                return (str(value).upper(),)
            case o.NormalizationRule():
                return (json.dumps(dataclasses.asdict(value)),)
            case _ if reference is not None:
                return (str(KINDS[reference].container(self.layout).child("CN", str(value))),)
            case _:
                return (str(value),)

    def _object(self, type_: type[T], entry: Entry) -> T:
        kind = KINDS[type_]
        values: dict[str, Any] = {kind.naming: entry.dn.name}
        if kind.below:
            values[kind.below] = str(entry.dn.parent) if kind.below == "container" else entry.dn.parent.name
        hints = {f.name: f for f in dataclasses.fields(type_)}  # type: ignore[arg-type] # only dataclasses are KINDS
        for field, attribute in kind.attributes.items():
            texts = entry.all(attribute)
            if not texts and hints[field].default is not dataclasses.MISSING:
                continue
            try:
                values[field] = self._value(str(hints[field].type), kind.references.get(field), texts)
            except (ValueError, TypeError, NoSuchObject):
                raise BadEntry(entry.dn, attribute, " ".join(texts)) from None
        return type_(**values)

    @staticmethod
    def _value(kind: str, reference: type | None, texts: tuple[str, ...]) -> Any:
        if "NormalizationRule" in kind:
            return tuple(o.NormalizationRule(**json.loads(text)) for text in texts)
        names = tuple(DN.parse(text).name for text in texts) if reference else texts
        if "tuple" in kind:
            return names
        text = names[0] if names else ""
        if "bool" in kind:
            return {"TRUE": True, "FALSE": False}[text.upper()] if text.upper() in ("TRUE", "FALSE") else _bad(text)
        return int(text) if "int" in kind else text


def _bad(text: str) -> bool:
    raise ValueError(text)


def discover(session: Session) -> Repository:
    """A repository for a server that knows only its account: forest and organization are read from the directory's names.

    The voice side may not read the organization, but what is below it once exchucutil has run. Before, the organization's
    name is ``-``, below which nothing is.
    """
    forest = ".".join(value for kind, value in session.identity.rdns if kind.upper() == "DC")
    unknown = Layout(forest=forest, organization="-")
    for class_, above in (("msExchOrganizationContainer", 0), ("msExchUMDialPlan", 2)):
        if found := session.search(unknown.microsoft_exchange, f"(objectClass={class_})"):
            dn = DN(found[0].dn.rdns[above:])
            return Repository(session, Layout(forest=forest, organization=dn.name))
    return Repository(session, unknown)
