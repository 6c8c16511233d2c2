"""Cmdlets, parameters and properties that collectors may use, by shell: facts of Microsoft's documentation, not of the code.

``source`` is the page of the cmdlet below ``REFERENCE`` (office-docs-powershell at 93336da), or another address. Properties are
those that the page shows, or that the page of the Set- cmdlet names as parameters; ``field`` are known from public scripts
and field knowledge only, and no page of Microsoft's lists them.
"""

from dataclasses import dataclass

REFERENCE = "https://learn.microsoft.com/powershell/module"
E2007, E2010, E2013, E2016 = "exchange-2007", "exchange-2010", "exchange-2013", "exchange-2016"
EXCHANGE = frozenset({E2007, E2010, E2013, E2016})
MODERN = frozenset({E2013, E2016})
LYNC = frozenset({"lync-2010", "lync-2013", "skype-2015"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A cmdlet: where it is, and what of it may be used."""

    source: str
    shells: frozenset[str]
    parameters: frozenset[str] = frozenset()
    not_2007: frozenset[str] = frozenset()


def exchange(name: str, *parameters: str, shells: frozenset[str] = EXCHANGE, not_2007: tuple[str, ...] = ()) -> Known:
    page = f"{REFERENCE}/exchange/{name.lower()}"
    return Known(source=page, shells=shells, parameters=frozenset(parameters), not_2007=frozenset(not_2007))


def lync(name: str, *parameters: str, shells: frozenset[str] = LYNC) -> Known:
    return Known(source=f"{REFERENCE}/skype/{name.lower()}", shells=shells, parameters=frozenset(parameters))


CMDLETS = {
    "Get-OrganizationConfig": exchange("Get-OrganizationConfig"),
    "Get-ExchangeServer": exchange("Get-ExchangeServer", "Identity"),
    # "available only in Exchange Server 2010", and 2007's page aa996327(v=exchg.80) of its Set- cmdlet
    "Get-UMServer": exchange("Get-UMServer", "Identity", shells=frozenset({E2007, E2010})),
    "Get-UMService": exchange("Get-UMService", "Identity", shells=MODERN),
    "Get-UMCallRouterSettings": exchange("Get-UMCallRouterSettings", "Server", shells=MODERN),
    # 2007's has no -Server and is local: shared/domain/real-servers.md, A1.7 and C
    "Get-ExchangeCertificate": exchange("Get-ExchangeCertificate", "Server", not_2007=("Server",)),
    "Get-UMDialPlan": exchange("Get-UMDialPlan"),
    "Get-UMMailboxPolicy": exchange("Get-UMMailboxPolicy"),
    "Get-UMAutoAttendant": exchange("Get-UMAutoAttendant"),
    "Get-UMIPGateway": exchange("Get-UMIPGateway"),
    "Get-UMHuntGroup": exchange("Get-UMHuntGroup"),
    "Get-ADPermission": exchange("Get-ADPermission", "Identity"),
    # IgnoreDefaultScope in 2007: shown for Get-UMMailboxPIN, bb123787(v=exchg.80), and Get-Mailbox, bb123685(v=exchg.80)
    "Get-UMMailbox": exchange("Get-UMMailbox", "ResultSize", "IgnoreDefaultScope"),
    "Get-CsSite": lync("Get-CsSite"),
    "Get-CsPool": lync("Get-CsPool"),
    "Get-CsService": lync("Get-CsService", "PstnGateway"),
    "Get-CsMediaConfiguration": lync("Get-CsMediaConfiguration"),
    "Get-CsCertificate": lync("Get-CsCertificate"),
    "Get-CsDialPlan": lync("Get-CsDialPlan"),
    "Get-CsVoicePolicy": lync("Get-CsVoicePolicy"),
    "Get-CsPstnUsage": lync("Get-CsPstnUsage"),
    "Get-CsVoiceRoute": lync("Get-CsVoiceRoute"),
    # "by using the new Get-CsTrunk cmdlet": new in Lync Server 2013
    "Get-CsTrunk": lync("Get-CsTrunk", shells=frozenset({"lync-2013", "skype-2015"})),
    "Get-CsUser": lync("Get-CsUser"),
    "Get-CsServerVersion": lync("Get-CsServerVersion"),
}
COMMON = frozenset({"ErrorAction"})
"""Parameters that every cmdlet has."""
POWERSHELL = {
    "Set-StrictMode": {"Version"},
    "Get-Command": {"ErrorAction"},
    "Get-WmiObject": {"Class", "Filter", "ErrorAction"},
    "New-Object": {"ArgumentList"},
    "ForEach-Object": set(),
    "Where-Object": set(),
    "Sort-Object": set(),
    "Write-Host": set(),
}
"""Cmdlets of PowerShell 2 itself. Set-StrictMode is for its own script alone, and New-Object makes one of ``TYPES``."""
METHODS = frozenset(
    {
        "ContainsKey", "GetUnresolvedProviderPathFromPSPath", "GetAllTrustRelationships", "FindAll", "GetComputerDomain",
        "GetHostEntry", "GetCurrent", "Exists", "OpenRead", "ComputeHash", "Translate", "NewGuid", "ToDateTime",
        "ToString", "ToLowerInvariant", "ToCharArray", "ToUniversalTime", "Append", "Flush", "Close", "Dispose",
    }
)  # fmt: skip
"""Methods of .NET that may be called on anything: they read, or make a value."""
WRITING = {
    "$Writer.Write": ("(",),
    "$Stream.SetLength": ("($start)",),
    "[System.IO.File]::AppendAllText": ('($Temporary, \',"sha256":"\'',),
    "[System.IO.File]::Move": ("($Temporary, $Target)",),
    "[System.IO.File]::Delete": ("($Temporary)", "($Target)"),
    "$searcher.PropertiesToLoad.Add": ("($each)",),
}
"""What could change something: the only objects and arguments with which it may be called, all of the script's own file."""
TYPES = frozenset(
    {
        "System.Text.StringBuilder",
        "System.DirectoryServices.DirectorySearcher",
        "System.DirectoryServices.DirectoryEntry",
        "System.Security.Cryptography.SHA256CryptoServiceProvider",
        "System.Security.Cryptography.SHA256Managed",
        "System.Security.Principal.SecurityIdentifier",
        "System.IO.FileStream",
        "System.IO.StreamWriter",
    }
)
"""What New-Object may make."""

_SERVERS = f"{REFERENCE}/exchange/get-exchangeserver"
PROPERTIES = {
    "OrganizationConfig": (f"{REFERENCE}/exchange/get-organizationconfig", {"Name", "DistinguishedName"}),
    "ExchangeServer": (_SERVERS, {"Fqdn", "AdminDisplayVersion", "ServerRole", "Site"}),
    "UMServer": (f"{REFERENCE}/exchange/set-umserver", {"DialPlans", "Status", "UMStartupMode"}),
    "UMService": (f"{REFERENCE}/exchange/set-umservice", {"DialPlans", "UMStartupMode"}),
    "UMCallRouterSettings": (f"{REFERENCE}/exchange/set-umcallroutersettings", {"DialPlans", "UMStartupMode"}),
    "UMDialPlan": (
        f"{REFERENCE}/exchange/set-umdialplan and new-umdialplan (URIType, NumberOfDigitsInExtension); field: PhoneContext",
        {
            "Name", "URIType", "NumberOfDigitsInExtension", "VoIPSecurity", "PhoneContext", "AccessTelephoneNumbers",
            "DefaultLanguage", "OperatorExtension", "MaxCallDuration", "MaxRecordingDuration", "RecordingIdleTimeout",
            "CountryOrRegionCode",
        },
    ),
    "UMMailboxPolicy": (
        f"{REFERENCE}/exchange/set-ummailboxpolicy and new-ummailboxpolicy (UMDialPlan)",
        {
            "Name", "UMDialPlan", "MinPINLength", "PINLifetime", "PINHistoryCount", "MaxLogonAttempts",
            "LogonFailuresBeforePINReset", "AllowMissedCallNotifications", "UMEnabledText", "VoiceMailText",
            "AllowMessageWaitingIndicator",
        },
    ),
    "UMAutoAttendant": (
        f"{REFERENCE}/exchange/set-umautoattendant and new-umautoattendant (UMDialPlan, Status)",
        {"Name", "UMDialPlan", "PilotIdentifierList", "Status", "SpeechEnabled", "Language"},
    ),
    "UMIPGateway": (
        f"{REFERENCE}/exchange/set-umipgateway",
        {"Name", "Address", "Port", "OutcallsAllowed", "Status", "MessageWaitingIndicatorAllowed"},
    ),
    "UMHuntGroup": (
        f"{REFERENCE}/exchange/new-umhuntgroup",
        {"Name", "UMIPGateway", "UMDialPlan", "PilotIdentifier"},
    ),
    "ADPermission": (
        f"{REFERENCE}/exchange/get-adpermission and add-adpermission; the server's place: the DistinguishedName of any object",
        {"DistinguishedName", "User", "AccessRights", "Deny", "IsInherited"},
    ),
    "UMMailbox": (
        f"{REFERENCE}/exchange/get-ummailbox; field: EmailAddresses, Extensions, ServerName",
        {"Name", "ServerName", "PrimarySmtpAddress", "UMMailboxPolicy", "Extensions", "EmailAddresses"},
    ),
    "CsSite": (f"{REFERENCE}/skype/get-cssite", {"Identity"}),
    "CsPool": (f"{REFERENCE}/skype/get-cspool", {"Fqdn", "Computers", "Site", "Services"}),
    "CsService": (f"{REFERENCE}/skype/get-csservice", {"Role", "PoolFqdn", "Version", "SiteId"}),
    "CsMediaConfiguration": (f"{REFERENCE}/skype/set-csmediaconfiguration", {"Identity", "EncryptionLevel"}),
    "CsCertificate": (
        f"{REFERENCE}/skype/get-cscertificate; field: AlternativeNames",
        {"Use", "Subject", "AlternativeNames", "Issuer", "NotBefore", "NotAfter", "Thumbprint"},
    ),
    "CsDialPlan": (
        f"{REFERENCE}/skype/set-csdialplan and new-csvoicenormalizationrule",
        {"Identity", "SimpleName", "NormalizationRules", "Name", "Pattern", "Translation", "IsInternalExtension"},
    ),
    "CsVoicePolicy": (
        f"{REFERENCE}/skype/set-csvoicepolicy",
        {"Identity", "PstnUsages", "AllowCallForwarding", "AllowSimulRing", "EnableCallTransfer"},
    ),
    "CsPstnUsage": (f"{REFERENCE}/skype/set-cspstnusage", {"Usage"}),
    "CsVoiceRoute": (
        f"{REFERENCE}/skype/set-csvoiceroute",
        {"Identity", "Priority", "NumberPattern", "PstnUsages", "PstnGatewayList"},
    ),
    "PstnGateway": (
        f"{REFERENCE}/skype/set-cspstngateway and get-cstrunk (PoolFqdn)",
        {"GatewaySipClientTlsPort", "GatewaySipClientTcpPort", "PoolFqdn", "MediationServer"},
    ),
    "CsUser": (
        f"{REFERENCE}/skype/get-csuser and set-csuser",
        {
            "SamAccountName", "UserPrincipalName", "SipAddress", "DisplayName", "RegistrarPool", "EnterpriseVoiceEnabled",
            "LineURI", "DialPlan", "VoicePolicy",
        },
    ),
    "UMContact": (
        "https://learn.microsoft.com/windows/win32/adschema/a-otheripphone, [MS-SIPREGE] and real-servers.md F1 (home server)",
        {
            "displayname", "msrtcsip-primaryuseraddress", "msrtcsip-line", "distinguishedname", "msrtcsip-primaryhomeserver",
        },
    ),
}  # fmt: skip
"""The properties that each section's objects have, with the source. Certificates of Exchange: ``CERTIFICATE``."""
CERTIFICATE = (
    f"{REFERENCE}/exchange/get-exchangecertificate and .NET's X509Certificate2",
    {
        "Subject", "CertificateDomains", "Issuer", "NotBefore", "NotAfter", "Services", "Thumbprint", "IsSelfSigned",
    },
)  # fmt: skip
NOT_2007 = {
    "UMServer": {"UMStartupMode"},
    "UMDialPlan": {"CountryOrRegionCode"},
    "UMMailboxPolicy": {"AllowMessageWaitingIndicator"},
    "UMIPGateway": {"MessageWaitingIndicatorAllowed"},
}
"""What Exchange 2007 does not have.

UMStartupMode: aa996327(v=exchg.80); AllowMessageWaitingIndicator: bb124903(v=exchg.80); CountryOrRegionCode and
MessageWaitingIndicatorAllowed: shared/domain/real-servers.md, A1.4 and C.
"""
