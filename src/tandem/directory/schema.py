"""Classes and attributes, under Active Directory's names where those are public.

Exchange's user attributes and Lync's ``msRTCSIP-`` ones are as documented. The attribute names of UM configuration
classes are not public: those with the prefix ``msExchUM`` below them are our choice, as are all with the prefix
``tandem`` (docs/adr/0004).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.directory.errors import SchemaViolation

MAX_VALUE = 65_536
"""Characters in one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """``confidential`` ones are read and written only with a right that names them."""

    name: str
    multi: bool = False
    confidential: bool = False


_SINGLE = """
cn ou dc name displayName description sAMAccountName mail telephoneNumber dNSHostName userPrincipalName
msRTCSIP-PrimaryUserAddress msRTCSIP-UserEnabled msRTCSIP-Line msRTCSIP-PrimaryHomeServer msRTCSIP-OptionFlags
msRTCSIP-SourceObjectType msRTCSIP-PoolType msRTCSIP-PoolVersion msRTCSIP-PoolData
msExchUMEnabledFlags msExchUMTemplateLink msExchUMRecipientDialPlanLink msExchVersion versionNumber
msExchUMPhoneContext msExchUMUriType msExchUMVoIPSecurity msExchUMNumberOfDigits msExchUMCountryCode
msExchUMDefaultLanguage msExchUMOperatorExtension msExchUMMaxCallDuration msExchUMMaxRecordingDuration
msExchUMRecordingIdleTimeout msExchUMDialPlanLink msExchUMIPGatewayAddress msExchUMIPGatewayPort
msExchUMIPGatewayStatus msExchUMOutcallsAllowed msExchUMMWIAllowed msExchUMPilotIdentifier msExchUMServerStatus
msExchUMStartupMode msExchUMTcpPort msExchUMTlsPort msExchUMCertificateThumbprint msExchUMMinPINLength
msExchUMPINLifetime msExchUMPINHistoryCount msExchUMLogonFailuresBeforePINReset msExchUMMaxLogonAttempts
msExchUMAllowMissedCallNotifications msExchUMAllowMWI msExchUMEnabledText msExchUMVoiceMailText msExchUMPinState
tandemKind tandemTransport tandemMediaEncryption tandemRingSeconds tandemSimpleName tandemTlsPort
tandemVoiceDialPlan tandemVoicePolicy tandemAllowCallForwarding tandemAllowSimulRing tandemEnableCallTransfer
tandemManagedBy tandemCertificateThumbprint
msExchUMAutoAttendantEnabled msExchUMSpeechEnabled tandemNumberPattern tandemPriority tandemPort tandemPool
trustPartner trustDirection
"""
_MULTI = """
objectClass member proxyAddresses otherIpPhone servicePrincipalName msExchUMAccessTelephoneNumbers msExchUMDialPlanLinks
msExchUMRoles msExchUMPilotIdentifiers tandemPstnGateways tandemPoolServers tandemDigest tandemNormalizationRules
tandemPstnUsages
"""
_CONFIDENTIAL = "tandemSipSecret msExchUMPinChecksum"

ATTRIBUTES = {
    name.lower(): Attribute(name=name, multi=multi, confidential=confidential)
    for names, multi, confidential in ((_SINGLE, False, False), (_MULTI, True, False), (_CONFIDENTIAL, False, True))
    for name in names.split()
}
CLASSES = {
    "top",
    "domainDNS",
    "container",
    "organizationalUnit",
    "user",
    "computer",
    "contact",
    "group",
    "msExchOrganizationContainer",
    "msExchExchangeServer",
    "msExchUMDialPlan",
    "msExchUMIPGateway",
    "msExchUMHuntGroup",
    "msExchUMAutoAttendant",
    "msExchUMRecipientTemplate",
    "msRTCSIP-Service",
    "msRTCSIP-Pools",
    "msRTCSIP-Pool",
    "tandemVoiceDialPlan",
    "tandemVoicePolicy",
    "tandemVoiceRoute",
    "tandemPstnUsage",
    "tandemPstnGateway",
    "trustedDomain",
}
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
