"""What a collector reads in an Exchange shell, by version.

2007's ``Get-ExchangeCertificate`` knows only its own server, so that 2007's collector runs on every 2007 server. A forest with
several versions has a collector per shell: each reads the servers of its version with their mailboxes, and every object of the
organization.
"""

from tandem.process.observing.collecting import every

_OWN = {
    "exchange-2007": r"^Version 8\.",
    "exchange-2010": r"^Version 14\.",
    "exchange-2013": r"^Version 15\.0 ",
    "exchange-2016": r"^Version 15\.1 ",
}
GROUPS = (
    "Exchange Organization Administrators",
    "Exchange Recipient Administrators",
    "Organization Management",
    "Recipient Management",
    "Server Management",
    "UM Management",
    "RTCUniversalServerAdmins",
    "RTCUniversalUserAdmins",
    "RTCComponentUniversalServices",
)

_FUNCTIONS = r"""
function Get-AllServers {
    if (-not $Cache.ContainsKey('Servers')) { $Cache['Servers'] = @(Get-ExchangeServer -ErrorAction Stop) }
    $Cache['Servers']
}

function Get-OwnServers([string]$Role) {
    foreach ($server in @(Get-AllServers)) {
        $roles = @(Get-Flags $server 'ServerRole')
        if ((Get-Text $server 'AdminDisplayVersion') -match $OwnVersion -and $roles -contains $Role) { $server }
    }
}

function Get-OwnFqdns([string[]]$Roles) {
    $seen = @{}
    foreach ($role in $Roles) {
        foreach ($server in @(Get-OwnServers $role)) { $seen[(Get-Text $server 'Fqdn').ToLowerInvariant()] = $true }
    }
    $seen.Keys | Sort-Object
}
"""

_GUARD = r"""
$me = Get-ExchangeServer -Identity $env:COMPUTERNAME -ErrorAction Stop
if ((Get-Text $me 'AdminDisplayVersion') -notmatch $OwnVersion) {
    throw ('This server is ' + (Get-Text $me 'AdminDisplayVersion') + ', the collector is for ' + $Shell + '.')
}
"""

_ORGANIZATION = r"""
foreach ($each in @(Get-OrganizationConfig -ErrorAction Stop)) {
    @{ Name = Get-Text $each 'Name'; DistinguishedName = Get-Text $each 'DistinguishedName' }
}
"""
_SERVER = r"""
foreach ($each in @(Get-AllServers)) {
    @{ Fqdn = Get-Text $each 'Fqdn'; AdminDisplayVersion = Get-Text $each 'AdminDisplayVersion'
       ServerRole = @(Get-Flags $each 'ServerRole'); Site = Get-Name $each 'Site' }
}
"""
_UM_SERVER_2007 = r"""
foreach ($fqdn in @(Get-OwnFqdns @('UnifiedMessaging'))) {
    $each = Get-UMServer -Identity $fqdn -ErrorAction Stop
    @{ Fqdn = $fqdn; DialPlans = @(Get-Names $each 'DialPlans'); Status = Get-Text $each 'Status' }
}
"""
_UM_SERVER = r"""
foreach ($fqdn in @(Get-OwnFqdns @('UnifiedMessaging'))) {
    $each = Get-UMServer -Identity $fqdn -ErrorAction Stop
    @{ Fqdn = $fqdn; DialPlans = @(Get-Names $each 'DialPlans'); Status = Get-Text $each 'Status'
       UMStartupMode = Get-Text $each 'UMStartupMode' }
}
"""
_UM_SERVICE = r"""
foreach ($fqdn in @(Get-OwnFqdns @('Mailbox'))) {
    $each = Get-UMService -Identity $fqdn -ErrorAction Stop
    @{ Fqdn = $fqdn; DialPlans = @(Get-Names $each 'DialPlans'); UMStartupMode = Get-Text $each 'UMStartupMode' }
}
"""
_CALL_ROUTER = r"""
foreach ($fqdn in @(Get-OwnFqdns @(ROLES))) {
    $each = Get-UMCallRouterSettings -Server $fqdn -ErrorAction Stop
    @{ Fqdn = $fqdn; DialPlans = @(Get-Names $each 'DialPlans'); UMStartupMode = Get-Text $each 'UMStartupMode' }
}
"""
_CERTIFICATE_FUNCTION = r"""
function Get-CertificateOf([string]$Server, $Certificate) {
    @{ Server = $Server; Subject = Get-Text $Certificate 'Subject'
       CertificateDomains = @(Get-Texts $Certificate 'CertificateDomains'); Issuer = Get-Text $Certificate 'Issuer'
       NotBefore = Get-Time $Certificate 'NotBefore'; NotAfter = Get-Time $Certificate 'NotAfter'
       Services = @(Get-Flags $Certificate 'Services'); Thumbprint = Get-Text $Certificate 'Thumbprint'
       IsSelfSigned = Get-Flag $Certificate 'IsSelfSigned' }
}
"""
_CERTIFICATE_2007 = r"""
foreach ($each in @(Get-ExchangeCertificate -ErrorAction Stop)) { Get-CertificateOf $HostName $each }
"""
_CERTIFICATE = r"""
foreach ($fqdn in @(Get-OwnFqdns @('UnifiedMessaging', 'Mailbox', 'ClientAccess', 'HubTransport'))) {
    try {
        foreach ($each in @(Get-ExchangeCertificate -Server $fqdn -ErrorAction Stop)) { Get-CertificateOf $fqdn $each }
    } catch {
        Write-Unread 'ExchangeCertificate' ($fqdn + ': ' + $_.Exception.Message)
    }
}
"""
_DIAL_PLAN = r"""
foreach ($each in @(Get-UMDialPlan -ErrorAction Stop)) {
    $found = @{ Name = Get-Text $each 'Name'; URIType = Get-Text $each 'URIType'
       NumberOfDigitsInExtension = Get-Number $each 'NumberOfDigitsInExtension'; VoIPSecurity = Get-Text $each 'VoIPSecurity'
       PhoneContext = Get-Text $each 'PhoneContext'; AccessTelephoneNumbers = @(Get-Texts $each 'AccessTelephoneNumbers')
       DefaultLanguage = Get-Text $each 'DefaultLanguage'; OperatorExtension = Get-Text $each 'OperatorExtension'
       MaxCallDuration = Get-Number $each 'MaxCallDuration'
       MaxRecordingDuration = Get-Number $each 'MaxRecordingDuration'
       RecordingIdleTimeout = Get-Number $each 'RecordingIdleTimeout' }
SINCE_2010    $found
}
"""
_POLICY = r"""
foreach ($each in @(Get-UMMailboxPolicy -ErrorAction Stop)) {
    $found = @{ Name = Get-Text $each 'Name'; UMDialPlan = Get-Name $each 'UMDialPlan'
       MinPINLength = Get-Number $each 'MinPINLength'; PINLifetime = Get-Number $each 'PINLifetime'
       PINHistoryCount = Get-Number $each 'PINHistoryCount'; MaxLogonAttempts = Get-Number $each 'MaxLogonAttempts'
       LogonFailuresBeforePINReset = Get-Number $each 'LogonFailuresBeforePINReset'
       AllowMissedCallNotifications = Get-Flag $each 'AllowMissedCallNotifications'
       UMEnabledText = Get-Text $each 'UMEnabledText'; VoiceMailText = Get-Text $each 'VoiceMailText' }
SINCE_2010    $found
}
"""
_ATTENDANT = r"""
foreach ($each in @(Get-UMAutoAttendant -ErrorAction Stop)) {
    @{ Name = Get-Text $each 'Name'; UMDialPlan = Get-Name $each 'UMDialPlan'
       PilotIdentifierList = @(Get-Texts $each 'PilotIdentifierList'); Status = Get-Text $each 'Status'
       SpeechEnabled = Get-Flag $each 'SpeechEnabled'; Language = Get-Text $each 'Language' }
}
"""
_GATEWAY = r"""
foreach ($each in @(Get-UMIPGateway -ErrorAction Stop)) {
    $found = @{ Name = Get-Text $each 'Name'; Address = Get-Text $each 'Address'; Port = Get-Number $each 'Port'
       OutcallsAllowed = Get-Flag $each 'OutcallsAllowed'; Status = Get-Text $each 'Status' }
SINCE_2010    $found
}
"""
_HUNT_GROUP = r"""
foreach ($each in @(Get-UMHuntGroup -ErrorAction Stop)) {
    @{ Name = Get-Text $each 'Name'; UMIPGateway = Get-Name $each 'UMIPGateway'; UMDialPlan = Get-Name $each 'UMDialPlan'
       PilotIdentifier = Get-Text $each 'PilotIdentifier' }
}
"""
_PERMISSION = r"""
$organization = Get-Text (Get-OrganizationConfig -ErrorAction Stop) 'DistinguishedName'
$places = @{ 'Organization' = $organization }
foreach ($name in @('UM DialPlan Container', 'UM AutoAttendant Container', 'UM IPGateway Container')) {
    $places[$name] = 'CN=' + $name + ',' + $organization
}
foreach ($server in @(Get-AllServers)) {
    $dn = Get-Text $server 'DistinguishedName'
    if ($dn -match ',(CN=Servers,CN=[^,]+,CN=Administrative Groups,.+)$') { $places['Servers'] = $Matches[1] }
}
foreach ($place in @($places.Keys | Sort-Object)) {
    foreach ($each in @(Get-ADPermission -Identity $places[$place] -ErrorAction Stop)) {
        $limited = $each.PSObject.Properties['Properties']
        if ($null -ne $limited -and @($limited.Value | Where-Object { $_ }).Count -gt 0) { continue }
        @{ Container = $place; User = Get-Text $each 'User'; AccessRights = @(Get-Flags $each 'AccessRights')
           Deny = Get-Flag $each 'Deny'; IsInherited = Get-Flag $each 'IsInherited' }
    }
}
"""
_MAILBOX = r"""
$names = @{}
foreach ($server in @(Get-OwnServers 'Mailbox')) { $names[(Get-Text $server 'Name')] = $true }
Get-UMMailbox -ResultSize Unlimited -IgnoreDefaultScope -ErrorAction Stop | Where-Object {
    $names.ContainsKey([string](Get-Text $_ 'ServerName'))
} | ForEach-Object {
    @{ PrimarySmtpAddress = Get-Text $_ 'PrimarySmtpAddress'; UMMailboxPolicy = Get-Name $_ 'UMMailboxPolicy'
       Extensions = @(Get-Texts $_ 'Extensions')
       EmailAddresses = @(Get-Texts $_ 'EmailAddresses' | Where-Object { $_ -like 'EUM:*' }) }
}
"""
_SERVICE = r"""
$fqdns = @(Get-OwnFqdns @('UnifiedMessaging', 'Mailbox', 'ClientAccess'))
Get-Services $fqdns "Name='MSExchangeUM' OR Name='MSExchangeUMCR'"
"""
_SINCE_2010 = {
    "UMDialPlan": "    $found['CountryOrRegionCode'] = Get-Text $each 'CountryOrRegionCode'\n",
    "UMMailboxPolicy": "    $found['AllowMessageWaitingIndicator'] = Get-Flag $each 'AllowMessageWaitingIndicator'\n",
    "UMIPGateway": "    $found['MessageWaitingIndicatorAllowed'] = Get-Flag $each 'MessageWaitingIndicatorAllowed'\n",
}


def settings(shell: str) -> dict[str, str]:
    """The variables that the script begins with: its servers' versions and the cmdlet that the shell needs."""
    return {"OwnVersion": _OWN[shell], "Cmdlet": "Get-ExchangeServer"}


def functions() -> str:
    """Functions of the sections."""
    return _FUNCTIONS + _CERTIFICATE_FUNCTION


def guard() -> str:
    """Refuses a server of another version."""
    return _GUARD


def sections(shell: str) -> dict[str, str]:
    """The body of each section. A section that the shell has no cmdlet for has none: ``""``."""
    old, modern = shell == "exchange-2007", shell in ("exchange-2013", "exchange-2016")
    roles = "'Mailbox'" if shell == "exchange-2016" else "'ClientAccess'"
    bodies = {
        "OrganizationConfig": _ORGANIZATION,
        "ExchangeServer": _SERVER,
        "UMServer": "" if modern else _UM_SERVER_2007 if old else _UM_SERVER,
        "UMService": _UM_SERVICE if modern else "",
        "UMCallRouterSettings": _CALL_ROUTER.replace("ROLES", roles) if modern else "",
        "ExchangeCertificate": _CERTIFICATE_2007 if old else _CERTIFICATE,
        "UMDialPlan": _DIAL_PLAN,
        "UMMailboxPolicy": _POLICY,
        "UMAutoAttendant": _ATTENDANT,
        "UMIPGateway": _GATEWAY,
        "UMHuntGroup": _HUNT_GROUP,
        "ADPermission": _PERMISSION,
        "UMMailbox": _MAILBOX,
        "Service": _SERVICE,
        "Trust": every.TRUST,
        "GroupMember": every.GROUP_MEMBER,
    }
    return {name: body.replace("SINCE_2010", "" if old else _SINCE_2010.get(name, "")) for name, body in bodies.items()}
