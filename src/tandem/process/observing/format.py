"""The sections and properties of an observation's file, as docs/observation.md lists them, with the type of each value."""

from enum import Enum, auto

FORMAT, VERSION = "tandem-observation", 1
SHELLS = {
    "exchange": ("exchange-2007", "exchange-2010", "exchange-2013", "exchange-2016"),
    "lync": ("lync-2010", "lync-2013", "skype-2015"),
}
"""The shells of each side."""


class Kind(Enum):
    """What a property's value may be."""

    TEXT = auto()
    NUMBER = auto()
    """A number, or what a cmdlet prints for one: ``15``, ``60.00:00:00``, ``Unlimited``."""
    FLAG = auto()
    TIME = auto()
    TEXTS = auto()
    RULES = auto()
    """An array of objects, the normalization rules of a dial plan."""


T, N, F, W, S, R = Kind.TEXT, Kind.NUMBER, Kind.FLAG, Kind.TIME, Kind.TEXTS, Kind.RULES

_EVERYWHERE: dict[str, dict[str, Kind]] = {
    "Service": {"Server": T, "Name": T, "Status": T, "StartTime": W},
    "Trust": {"Source": T, "Target": T, "Direction": T},
    "GroupMember": {"Group": T, "Members": S, "WellKnown": T},
}
_EXCHANGE: dict[str, dict[str, Kind]] = {
    "OrganizationConfig": {"Name": T, "DistinguishedName": T},
    "ExchangeServer": {"Fqdn": T, "AdminDisplayVersion": T, "ServerRole": S, "Site": T},
    "UMServer": {"Fqdn": T, "DialPlans": S, "Status": T, "UMStartupMode": T},
    "UMService": {"Fqdn": T, "DialPlans": S, "UMStartupMode": T},
    "UMCallRouterSettings": {"Fqdn": T, "DialPlans": S, "UMStartupMode": T},
    "ExchangeCertificate": {
        "Server": T,
        "Subject": T,
        "CertificateDomains": S,
        "Issuer": T,
        "NotBefore": W,
        "NotAfter": W,
        "Services": S,
        "Thumbprint": T,
        "IsSelfSigned": F,
    },
    "UMDialPlan": {
        "Name": T,
        "URIType": T,
        "NumberOfDigitsInExtension": N,
        "VoIPSecurity": T,
        "PhoneContext": T,
        "AccessTelephoneNumbers": S,
        "CountryOrRegionCode": T,
        "DefaultLanguage": T,
        "OperatorExtension": T,
        "MaxCallDuration": N,
        "MaxRecordingDuration": N,
        "RecordingIdleTimeout": N,
    },
    "UMMailboxPolicy": {
        "Name": T,
        "UMDialPlan": T,
        "MinPINLength": N,
        "PINLifetime": N,
        "PINHistoryCount": N,
        "MaxLogonAttempts": N,
        "LogonFailuresBeforePINReset": N,
        "AllowMissedCallNotifications": F,
        "AllowMessageWaitingIndicator": F,
        "UMEnabledText": T,
        "VoiceMailText": T,
    },
    "UMAutoAttendant": {
        "Name": T,
        "UMDialPlan": T,
        "PilotIdentifierList": S,
        "Status": T,
        "SpeechEnabled": F,
        "Language": T,
    },
    "UMIPGateway": {
        "Name": T,
        "Address": T,
        "Port": N,
        "OutcallsAllowed": F,
        "MessageWaitingIndicatorAllowed": F,
        "Status": T,
    },
    "UMHuntGroup": {"Name": T, "UMIPGateway": T, "UMDialPlan": T, "PilotIdentifier": T},
    "ADPermission": {"Container": T, "User": T, "AccessRights": S, "Deny": F, "IsInherited": F},
    "UMMailbox": {"PrimarySmtpAddress": T, "UMMailboxPolicy": T, "Extensions": S, "EmailAddresses": S},
}
_LYNC: dict[str, dict[str, Kind]] = {
    "CsSite": {"Identity": T},
    "CsPool": {"Fqdn": T, "Computers": S, "Site": T, "Services": S},
    "CsService": {"Role": T, "PoolFqdn": T, "Version": N, "SiteId": T},
    "CsMediaConfiguration": {"Identity": T, "EncryptionLevel": T},
    "CsCertificate": {
        "Server": T,
        "Use": T,
        "Subject": T,
        "AlternativeNames": S,
        "Issuer": T,
        "NotBefore": W,
        "NotAfter": W,
        "Thumbprint": T,
    },
    "CsDialPlan": {"Identity": T, "SimpleName": T, "NormalizationRules": R},
    "CsVoicePolicy": {
        "Identity": T,
        "PstnUsages": S,
        "AllowCallForwarding": F,
        "AllowSimulRing": F,
        "EnableCallTransfer": F,
    },
    "CsPstnUsage": {"Usage": S},
    "CsVoiceRoute": {"Identity": T, "Priority": N, "NumberPattern": T, "PstnUsages": S, "PstnGatewayList": S},
    "PstnGateway": {"PoolFqdn": T, "MediationServer": T, "Port": N},
    "CsUser": {
        "SamAccountName": T,
        "UserPrincipalName": T,
        "SipAddress": T,
        "DisplayName": T,
        "RegistrarPool": T,
        "EnterpriseVoiceEnabled": F,
        "LineURI": T,
        "DialPlan": T,
        "VoicePolicy": T,
    },
    "UMContact": {
        "DisplayName": T,
        "SipAddress": T,
        "LineURI": T,
        "RegistrarPool": T,
        "OtherIpPhone": S,
        "DistinguishedName": T,
    },
}
SECTIONS = {"exchange": _EXCHANGE | _EVERYWHERE, "lync": _LYNC | _EVERYWHERE}
"""The sections of each side, with the type of each property."""
NORMALIZATION_RULE = {"Name": T, "Pattern": T, "Translation": T, "IsInternalExtension": F}
"""The properties of a normalization rule."""
NAMED_BY = {
    "UMHuntGroup": "UMDialPlan",
    "ADPermission": "Container",
    "UMMailbox": "PrimarySmtpAddress",
    "Trust": "Source",
    "GroupMember": "Group",
    "CsPstnUsage": "Usage",
    "CsService": "PoolFqdn",
    "PstnGateway": "PoolFqdn",
    "CsUser": "SamAccountName",
    "UMContact": "SipAddress",
}
"""The property that an object cannot be without, where it is not the first of its section."""


def name_property(section: str, side: str) -> str:
    """The property that every object of a section has."""
    return NAMED_BY.get(section) or next(iter(SECTIONS[side][section]))
