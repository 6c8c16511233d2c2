"""Classes and attributes, under Exchange's and Lync's names where those are known.

In the embedded directory these are the names. In Active Directory a name of Microsoft's is used only where its identifier
and syntax are public (Lync's user attributes, the link to a user's dial plan): everything else stands there under a name and
an identifier of our own (:func:`wire_name`, docs/adr/0004 and 0010), so that it is never in the way of Microsoft's setup.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tandem.directory.errors import SchemaViolation

MAX_VALUE = 65_536
"""Characters in one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute.

    ``oid`` is its object identifier: as published, or below :data:`ARC`; empty if every Active Directory has it.
    ``syntax`` is ``text``, ``int``, ``bool`` or ``dn``. ``confidential`` ones are read and written only with a right that
    names them. ``ordered``: the order of its values means something. ``abroad``: only a directory over LDAP has use of it.
    """

    name: str
    oid: str = ""
    syntax: str = "text"
    multi: bool = False
    ordered: bool = False
    confidential: bool = False
    indexed: bool = False
    abroad: bool = False

    @property
    def wire(self) -> str:
        """Its name in Active Directory."""
        return _wire(self.name) if self.oid.startswith(ARC) else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A class of our own or of Exchange's or Lync's; ``above`` are the classes that its entries may stand below.

    An auxiliary one gives its attributes to the classes in ``above``.
    """

    name: str
    number: int
    above: tuple[str, ...]
    attributes: tuple[str, ...]
    auxiliary: bool = False

    @property
    def oid(self) -> str:
        """Its object identifier."""
        return f"{ARC}.2.{self.number}"

    @property
    def wire(self) -> str:
        """Its name in Active Directory."""
        return _wire(self.name)


def _wire(name: str) -> str:
    """The name of what is ours, but bears a name of Exchange's or Lync's here.

    In Active Directory a name of Microsoft's stands only for what Microsoft has defined: with another identifier it would
    be in the way of their own setup.
    """
    return name.replace("msExch", "tandemExch", 1).replace("msRTCSIP-", "tandemRTCSIP-", 1)


ARC = "1.2.840.113556.1.8000.2554.51991.60771.39737.16805.39569.7438448.12613532"
"""Ours, made from a GUID as Microsoft's procedure for private object identifiers has it: below it 1.N is attribute N,
2.N class N. A number is never given twice."""

_ATTRIBUTES = """
                                  - cn                                   text
                                  - ou                                   text
                                  - dc                                   text
                                  - name                                 text
                                  - displayName                          text
                                  - description                          text
                                  - sAMAccountName                       text
                                  - mail                                 text
                                  - telephoneNumber                      text
                                  - dNSHostName                          text
                                  - userPrincipalName                    text
          1.2.840.113556.1.6.24.1.1 msRTCSIP-PrimaryUserAddress          text indexed
          1.2.840.113556.1.6.24.1.6 msRTCSIP-UserEnabled                 bool
         1.2.840.113556.1.6.24.1.88 msRTCSIP-Line                        text indexed
         1.2.840.113556.1.6.24.1.57 msRTCSIP-PrimaryHomeServer           dn indexed
         1.2.840.113556.1.6.24.1.87 msRTCSIP-OptionFlags                 int
                                  1 msRTCSIP-SourceObjectType            int
                                  2 msRTCSIP-PoolType                    text
                                  3 msExchUMEnabledFlags                 int
                                  4 msExchUMTemplateLink                 dn
  1.2.840.113556.1.4.7000.102.50388 msExchUMRecipientDialPlanLink        dn indexed
                                  5 msExchVersion                        text
                                  - versionNumber                        text
                                  6 msExchUMPhoneContext                 text
                                  7 msExchUMUriType                      text
                                  8 msExchUMVoIPSecurity                 text
                                  9 msExchUMNumberOfDigits               int
                                 10 msExchUMCountryCode                  text
                                 11 msExchUMDefaultLanguage              text
                                 12 msExchUMOperatorExtension            text
                                 13 msExchUMMaxCallDuration              int
                                 14 msExchUMMaxRecordingDuration         int
                                 15 msExchUMRecordingIdleTimeout         int
                                 16 msExchUMDialPlanLink                 dn
                                 17 msExchUMIPGatewayAddress             text
                                 18 msExchUMIPGatewayPort                int
                                 19 msExchUMIPGatewayStatus              text
                                 20 msExchUMOutcallsAllowed              bool
                                 21 msExchUMMWIAllowed                   bool
                                 22 msExchUMPilotIdentifier              text
                                 23 msExchUMServerStatus                 text
                                 24 msExchUMStartupMode                  text
                                 25 msExchUMTcpPort                      int
                                 26 msExchUMTlsPort                      int
                                 27 msExchUMCertificateThumbprint        text
                                 28 msExchUMMinPINLength                 int
                                 29 msExchUMPINLifetime                  int
                                 30 msExchUMPINHistoryCount              int
                                 31 msExchUMLogonFailuresBeforePINReset  int
                                 32 msExchUMMaxLogonAttempts             int
                                 33 msExchUMAllowMissedCallNotifications bool
                                 34 msExchUMAllowMWI                     bool
                                 35 msExchUMEnabledText                  text
                                 36 msExchUMVoiceMailText                text
                                 37 msExchUMPinState                     text
                                 38 tandemKind                           text
                                 39 tandemTransport                      text
                                 40 tandemMediaEncryption                text
                                 41 tandemRingSeconds                    int
                                 42 tandemSimpleName                     text
                                 43 tandemTlsPort                        int
                                 44 tandemAssignedDialPlan               text
                                 45 tandemAssignedVoicePolicy            text
                                 46 tandemAllowCallForwarding            bool
                                 47 tandemAllowSimulRing                 bool
                                 48 tandemEnableCallTransfer             bool
                                 49 tandemManagedBy                      text indexed
                                 50 msExchUMAutoAttendantEnabled         bool
                                 51 msExchUMSpeechEnabled                bool
                                 52 tandemNumberPattern                  text
                                 53 tandemPriority                       int
                                 54 tandemPort                           int
                                 55 tandemPool                           text
                                  - trustPartner                         text
                                  - trustDirection                       int
                                  - objectClass                          text multi
                                  - member                               dn multi
                                  - proxyAddresses                       text multi
                                  - otherIpPhone                         text multi
                                  - servicePrincipalName                 text multi
                                 56 msExchUMAccessTelephoneNumbers       text multi
                                 57 msExchUMDialPlanLinks                dn multi
                                 58 msExchUMRoles                        text multi
                                 59 msExchUMPilotIdentifiers             text multi
                                 60 tandemPstnGateways                   text ordered
                                 61 tandemPoolServers                    text ordered
                                 62 tandemDigest                         text ordered
                                 63 tandemNormalizationRules             text ordered
                                 64 tandemPstnUsages                     text ordered
                                 65 tandemSipSecret                      text confidential
                                 66 msExchUMPinChecksum                  text confidential
                                 67 tandemForeignUMTemplate              text abroad
                                 68 tandemForeignUMDialPlan              text abroad
"""
_CLASSES = """
  1 msExchOrganizationContainer container:
  2 msExchExchangeServer container: tandemKind msExchVersion msExchUMRoles msExchUMDialPlanLinks msExchUMStartupMode
    msExchUMServerStatus msExchUMTcpPort msExchUMTlsPort msExchUMCertificateThumbprint
  3 msExchUMDialPlan container: msExchUMPhoneContext msExchUMUriType msExchUMVoIPSecurity msExchUMNumberOfDigits
    msExchUMAccessTelephoneNumbers msExchUMCountryCode msExchUMDefaultLanguage msExchUMOperatorExtension
    msExchUMMaxCallDuration msExchUMMaxRecordingDuration msExchUMRecordingIdleTimeout
  4 msExchUMIPGateway container: msExchUMIPGatewayAddress msExchUMIPGatewayPort tandemTransport msExchUMOutcallsAllowed
    msExchUMMWIAllowed msExchUMIPGatewayStatus
  5 msExchUMHuntGroup msExchUMIPGateway: msExchUMDialPlanLink msExchUMPilotIdentifier
  6 msExchUMAutoAttendant container: msExchUMDialPlanLink msExchUMPilotIdentifiers msExchUMAutoAttendantEnabled
    msExchUMSpeechEnabled msExchUMDefaultLanguage
  7 msExchUMRecipientTemplate container: msExchUMDialPlanLink msExchUMMinPINLength msExchUMPINLifetime
    msExchUMPINHistoryCount msExchUMLogonFailuresBeforePINReset msExchUMMaxLogonAttempts
    msExchUMAllowMissedCallNotifications msExchUMAllowMWI msExchUMEnabledText msExchUMVoiceMailText
  8 msRTCSIP-Service container:
  9 msRTCSIP-Pools msRTCSIP-Service:
 10 msRTCSIP-Pool msRTCSIP-Pools: tandemKind msRTCSIP-PoolType tandemPoolServers tandemMediaEncryption tandemDigest
    tandemRingSeconds tandemTlsPort
 11 tandemVoiceDialPlan container: tandemSimpleName tandemNormalizationRules
 12 tandemVoicePolicy container: tandemAllowCallForwarding tandemAllowSimulRing tandemEnableCallTransfer tandemPstnUsages
 13 tandemVoiceRoute container: tandemNumberPattern tandemPriority tandemPstnUsages tandemPstnGateways
 14 tandemPstnUsage container:
 15 tandemPstnGateway container: tandemPool tandemPort tandemTransport
 16 tandemManaged * group,user,contact,(objects): tandemManagedBy
 17 tandemUser * user,contact: msRTCSIP-PrimaryUserAddress msRTCSIP-UserEnabled msRTCSIP-Line msRTCSIP-OptionFlags
    msRTCSIP-PrimaryHomeServer msRTCSIP-SourceObjectType msExchUMEnabledFlags msExchUMTemplateLink
    msExchUMRecipientDialPlanLink msExchUMPinState msExchUMPinChecksum tandemAssignedDialPlan tandemAssignedVoicePolicy
    tandemSipSecret tandemForeignUMTemplate tandemForeignUMDialPlan
"""
_CONTAINERS = ("msExchOrganizationContainer", "msRTCSIP-Service", "msRTCSIP-Pools")


def _attributes() -> Iterator[Attribute]:
    for line in _ATTRIBUTES.strip().splitlines():
        number, name, syntax, *flags = line.split()
        yield Attribute(
            name=name,
            oid="" if number == "-" else number if "." in number else f"{ARC}.1.{number}",
            syntax=syntax,
            multi="multi" in flags or "ordered" in flags,
            **{flag: True for flag in flags if flag != "multi"},
        )


def _classes() -> Iterator[Class]:
    names: list[str] = []  # of those that describe objects rather than contain them
    for line in _CLASSES.replace("\n    ", " ").strip().splitlines():
        head, _, attributes = line.partition(":")
        number, name, *above = head.split()
        names += [name] if above[0] != "*" and name not in _CONTAINERS else []
        yield Class(
            name=name,
            number=int(number),
            above=tuple(above[-1].replace("(objects)", ",".join(names)).split(",")),
            attributes=tuple(attributes.split()),
            auxiliary=above[0] == "*",
        )


FOREIGN = {
    "msexchumtemplatelink": "tandemforeignumtemplate",
    "msexchumrecipientdialplanlink": "tandemforeignumdialplan",
}
"""Where a link of a user stands, as text, whose target is in another forest: Active Directory has no link there."""
WIRE_ATTRIBUTES = tuple(_attributes())
"""Every attribute that is used in a directory."""
ATTRIBUTES = {each.name.lower(): each for each in WIRE_ATTRIBUTES if not each.abroad}
"""Those that objects have."""
DEFINED = tuple(_classes())
"""The classes that Active Directory does not have by itself."""
_NATIVE = (
    "top",
    "domainDNS",
    "container",
    "organizationalUnit",
    "user",
    "computer",
    "contact",
    "group",
    "trustedDomain",
)
WIRE_CLASSES = {**{name.lower(): name for name in _NATIVE}, **{each.name.lower(): each.wire for each in DEFINED}}
"""The names of classes in Active Directory, by our names in lower case."""
CLASSES = {*_NATIVE, *(each.name for each in DEFINED if not each.auxiliary)}
_BY_LOWER = {name.lower(): name for name in CLASSES}


_WIRE_NAMES = {each.name.lower(): each.wire for each in WIRE_ATTRIBUTES}


def wire_name(name: str) -> str:
    """An attribute's name in Active Directory; an unknown one as it is."""
    return _WIRE_NAMES.get(name.lower(), name)


def attribute(name: str) -> Attribute:
    """The attribute of this name (in any case). Raises :class:`SchemaViolation`."""
    found = ATTRIBUTES.get(name.lower())
    if found is None:
        raise SchemaViolation(f"the schema has no attribute {name!r}")
    return found


def check_values(name: str, values: tuple[str, ...]) -> None:
    """Check what an attribute is to hold. Raises :class:`SchemaViolation`."""
    known = attribute(name)
    if len(values) > 1 and not known.multi:
        raise SchemaViolation(f"{known.name} holds one value, {len(values)} were given")
    for value in values:
        if not value or len(value) > MAX_VALUE or "\0" in value:
            raise SchemaViolation(
                f"a value of {known.name} is empty, longer than {MAX_VALUE} characters, or holds a NUL"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SchemaViolation(f"a value of {known.name} is not valid Unicode") from None
        if known.name == "objectClass" and value.lower() not in _BY_LOWER:
            raise SchemaViolation(f"the schema has no class {value!r}")


_FIXED = {"objectclass", "cn", "samaccountname"}
"""Attributes that an entry keeps for its life: they decide which rights are for it, and who it is."""


def check_entry(dn: str, classes: list[str], attributes: Mapping[str, object], *, new: bool = True) -> None:
    """Check what belongs together. Raises :class:`SchemaViolation`.

    An entry has one class (beside ``top``), which the right to create it is for; only groups have members.
    """
    structural = [name for name in classes if name != "top"]
    if len(structural) != 1:
        raise SchemaViolation(f"{dn} is to have one objectClass beside top, found {', '.join(structural) or 'none'}")
    names = {name.lower() for name in attributes}
    if "member" in names and structural != ["group"]:
        raise SchemaViolation(f"{dn} is no group and cannot have members")
    if "samaccountname" in names and structural[0] not in ("user", "computer"):
        raise SchemaViolation(f"{dn} is no account and cannot have a sAMAccountName")
    if not new and (fixed := names & _FIXED):
        raise SchemaViolation(f"{', '.join(sorted(fixed))} of {dn} cannot be changed")
