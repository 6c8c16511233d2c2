"""Classes and attributes, under Active Directory's names where those are public.

Exchange's user attributes and Lync's ``msRTCSIP-`` ones are as documented. The attribute names of UM configuration
classes are not public: those with the prefix ``msExchUM`` below them are our choice, as are all with the prefix
``tandem`` (docs/adr/0004).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tandem.directory.errors import SchemaViolation

MAX_VALUE = 65_536
"""Characters in one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute.

    ``number`` places it below :data:`ARC` (0: every Active Directory has it). ``syntax`` is ``text``, ``int``, ``bool`` or
    ``dn``. ``confidential`` ones are read and written only with a right that names them. ``ordered``: the order of its
    values means something. ``abroad``: the embedded directory has no need of it.
    """

    name: str
    number: int = 0
    syntax: str = "text"
    multi: bool = False
    ordered: bool = False
    confidential: bool = False
    indexed: bool = False
    abroad: bool = False


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
  1 msRTCSIP-PrimaryUserAddress          text indexed
  2 msRTCSIP-UserEnabled                 bool
  3 msRTCSIP-Line                        text indexed
  4 msRTCSIP-PrimaryHomeServer           dn indexed
  5 msRTCSIP-OptionFlags                 int
  6 msRTCSIP-SourceObjectType            int
  7 msRTCSIP-PoolType                    text
  8 msExchUMEnabledFlags                 int
  9 msExchUMTemplateLink                 dn
 10 msExchUMRecipientDialPlanLink        dn indexed
 11 msExchVersion                        text
  - versionNumber                        text
 12 msExchUMPhoneContext                 text
 13 msExchUMUriType                      text
 14 msExchUMVoIPSecurity                 text
 15 msExchUMNumberOfDigits               int
 16 msExchUMCountryCode                  text
 17 msExchUMDefaultLanguage              text
 18 msExchUMOperatorExtension            text
 19 msExchUMMaxCallDuration              int
 20 msExchUMMaxRecordingDuration         int
 21 msExchUMRecordingIdleTimeout         int
 22 msExchUMDialPlanLink                 dn
 23 msExchUMIPGatewayAddress             text
 24 msExchUMIPGatewayPort                int
 25 msExchUMIPGatewayStatus              text
 26 msExchUMOutcallsAllowed              bool
 27 msExchUMMWIAllowed                   bool
 28 msExchUMPilotIdentifier              text
 29 msExchUMServerStatus                 text
 30 msExchUMStartupMode                  text
 31 msExchUMTcpPort                      int
 32 msExchUMTlsPort                      int
 33 msExchUMCertificateThumbprint        text
 34 msExchUMMinPINLength                 int
 35 msExchUMPINLifetime                  int
 36 msExchUMPINHistoryCount              int
 37 msExchUMLogonFailuresBeforePINReset  int
 38 msExchUMMaxLogonAttempts             int
 39 msExchUMAllowMissedCallNotifications bool
 40 msExchUMAllowMWI                     bool
 41 msExchUMEnabledText                  text
 42 msExchUMVoiceMailText                text
 43 msExchUMPinState                     text
 44 tandemKind                           text
 45 tandemTransport                      text
 46 tandemMediaEncryption                text
 47 tandemRingSeconds                    int
 48 tandemSimpleName                     text
 49 tandemTlsPort                        int
 50 tandemAssignedDialPlan               text
 51 tandemAssignedVoicePolicy            text
 52 tandemAllowCallForwarding            bool
 53 tandemAllowSimulRing                 bool
 54 tandemEnableCallTransfer             bool
 55 tandemManagedBy                      text indexed
 56 msExchUMAutoAttendantEnabled         bool
 57 msExchUMSpeechEnabled                bool
 58 tandemNumberPattern                  text
 59 tandemPriority                       int
 60 tandemPort                           int
 61 tandemPool                           text
  - trustPartner                         text
  - trustDirection                       int
  - objectClass                          text multi
  - member                               dn multi
  - proxyAddresses                       text multi
  - otherIpPhone                         text multi
  - servicePrincipalName                 text multi
 62 msExchUMAccessTelephoneNumbers       text multi
 63 msExchUMDialPlanLinks                dn multi
 64 msExchUMRoles                        text multi
 65 msExchUMPilotIdentifiers             text multi
 66 tandemPstnGateways                   text ordered
 67 tandemPoolServers                    text ordered
 68 tandemDigest                         text ordered
 69 tandemNormalizationRules             text ordered
 70 tandemPstnUsages                     text ordered
 71 tandemSipSecret                      text confidential
 72 msExchUMPinChecksum                  text confidential
 73 tandemForeignUMTemplate              text abroad
 74 tandemForeignUMDialPlan              text abroad
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
            number=0 if number == "-" else int(number),
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
CLASSES = {*_NATIVE, *(each.name for each in DEFINED if not each.auxiliary)}
_BY_LOWER = {name.lower(): name for name in CLASSES}


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
