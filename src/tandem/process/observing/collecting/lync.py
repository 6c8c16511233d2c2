"""What a collector reads in a shell of Lync Server or Skype for Business Server, by version.

``Get-CsCertificate`` knows only its own server, so that the collector runs on every server whose certificates count.
"""

from tandem.process.observing.collecting import every

GROUPS = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices")

_BUILDS = {"lync-2010": r"[( ]4\.0\.", "lync-2013": r"[( ]5\.0\.", "skype-2015": r"[( ]6\.0\."}
"""What Get-CsServerVersion says of each version: ``Microsoft Lync Server 2013 (5.0.8308.0): ...``."""

_GUARD = r"""
$installed = [string](Get-CsServerVersion -ErrorAction Stop)
if ($installed -notmatch $OwnVersion) {
    throw ('This server is ' + $installed + ', the collector is for ' + $Shell + '.')
}
"""

_FUNCTIONS = r"""
function Get-HomePool([string]$HomeServer) {
    $dn = $HomeServer -replace '^CN=Lc Services,CN=Microsoft,', ''
    if (-not $Cache.ContainsKey($dn)) {
        $Cache[$dn] = $null
        foreach ($found in @(Get-Found (Get-LdapPath 'LDAP' $dn) '(objectClass=*)' @('dNSHostName') 'Base')) {
            $Cache[$dn] = Get-First $found 'dnshostname'
        }
    }
    $Cache[$dn]
}
"""
_SITE = r"""
foreach ($each in @(Get-CsSite -ErrorAction Stop)) { @{ Identity = Get-Text $each 'Identity' } }
"""
_POOL = r"""
foreach ($each in @(Get-CsPool -ErrorAction Stop)) {
    @{ Fqdn = Get-Text $each 'Fqdn'; Computers = @(Get-Texts $each 'Computers'); Site = Get-Text $each 'Site'
       Services = @(Get-Texts $each 'Services') }
}
"""
_SERVICE_OF_POOL = r"""
foreach ($each in @(Get-CsService -ErrorAction Stop)) {
    @{ Role = Get-Text $each 'Role'; PoolFqdn = Get-Text $each 'PoolFqdn'; Version = Get-Number $each 'Version'
       SiteId = Get-Text $each 'SiteId' }
}
"""
_MEDIA = r"""
foreach ($each in @(Get-CsMediaConfiguration -ErrorAction Stop)) {
    @{ Identity = Get-Text $each 'Identity'; EncryptionLevel = Get-Text $each 'EncryptionLevel' }
}
"""
_CERTIFICATE = r"""
foreach ($each in @(Get-CsCertificate -ErrorAction Stop)) {
    @{ Server = $HostName; Use = Get-Text $each 'Use'; Subject = Get-Text $each 'Subject'
       AlternativeNames = @(Get-Texts $each 'AlternativeNames'); Issuer = Get-Text $each 'Issuer'
       NotBefore = Get-Time $each 'NotBefore'; NotAfter = Get-Time $each 'NotAfter'
       Thumbprint = Get-Text $each 'Thumbprint' }
}
"""
_DIAL_PLAN = r"""
foreach ($each in @(Get-CsDialPlan -ErrorAction Stop)) {
    $rules = @(foreach ($rule in @(Get-Value $each 'NormalizationRules')) {
        if ($null -ne $rule) {
            @{ Name = Get-Text $rule 'Name'; Pattern = Get-Text $rule 'Pattern'
               Translation = Get-Text $rule 'Translation'; IsInternalExtension = Get-Flag $rule 'IsInternalExtension' }
        }
    })
    @{ Identity = Get-Text $each 'Identity'; SimpleName = Get-Text $each 'SimpleName'; NormalizationRules = $rules }
}
"""
_POLICY = r"""
foreach ($each in @(Get-CsVoicePolicy -ErrorAction Stop)) {
    @{ Identity = Get-Text $each 'Identity'; PstnUsages = @(Get-Texts $each 'PstnUsages')
       AllowCallForwarding = Get-Flag $each 'AllowCallForwarding'; AllowSimulRing = Get-Flag $each 'AllowSimulRing'
       EnableCallTransfer = Get-Flag $each 'EnableCallTransfer' }
}
"""
_USAGE = r"""
foreach ($each in @(Get-CsPstnUsage -ErrorAction Stop)) { @{ Usage = @(Get-Texts $each 'Usage') } }
"""
_ROUTE = r"""
foreach ($each in @(Get-CsVoiceRoute -ErrorAction Stop)) {
    @{ Identity = Get-Text $each 'Identity'; Priority = Get-Number $each 'Priority'
       NumberPattern = Get-Text $each 'NumberPattern'; PstnUsages = @(Get-Texts $each 'PstnUsages')
       PstnGatewayList = @(Get-Texts $each 'PstnGatewayList') }
}
"""
_TRUNK = r"""
foreach ($each in @(CMDLET -ErrorAction Stop)) {
    $port = Get-Number $each 'GatewaySipClientTlsPort'
    if (-not $port) { $port = Get-Number $each 'GatewaySipClientTcpPort' }
    @{ PoolFqdn = Get-Text $each 'PoolFqdn'; MediationServer = Get-Text $each 'MediationServer'; Port = $port }
}
"""
_USER = r"""
Get-CsUser -ErrorAction Stop | ForEach-Object {
    @{ SamAccountName = Get-Text $_ 'SamAccountName'; UserPrincipalName = Get-Text $_ 'UserPrincipalName'
       SipAddress = Get-Text $_ 'SipAddress'; DisplayName = Get-Text $_ 'DisplayName'
       RegistrarPool = Get-Text $_ 'RegistrarPool'; EnterpriseVoiceEnabled = Get-Flag $_ 'EnterpriseVoiceEnabled'
       LineURI = Get-Text $_ 'LineURI'; DialPlan = Get-Text $_ 'DialPlan'; VoicePolicy = Get-Text $_ 'VoicePolicy' }
}
"""
_CONTACT = r"""
$filter = '(&(objectClass=contact)(msRTCSIP-PrimaryUserAddress=*)(otherIpPhone=*))'
$wanted = @('distinguishedName', 'displayName', 'msRTCSIP-PrimaryUserAddress', 'msRTCSIP-Line')
$wanted = $wanted + @('msRTCSIP-PrimaryHomeServer', 'otherIpPhone')
foreach ($domain in $Forest.Domains) {
    Get-Found ('LDAP://' + $domain.Name) $filter $wanted 'Subtree' | ForEach-Object {
        $homeServer = Get-First $_ 'msrtcsip-primaryhomeserver'
        $pool = $null
        if ($homeServer) { $pool = Get-HomePool $homeServer }
        @{ DisplayName = Get-First $_ 'displayname'; SipAddress = Get-First $_ 'msrtcsip-primaryuseraddress'
           LineURI = Get-First $_ 'msrtcsip-line'; RegistrarPool = $pool
           OtherIpPhone = @(foreach ($each in @($_.Properties['otheripphone'])) { [string]$each })
           DistinguishedName = Get-First $_ 'distinguishedname' }
    }
}
"""
_SERVICE = r"""
$computers = @{}
foreach ($pool in @(Get-CsPool -ErrorAction Stop)) {
    if (@(Get-Texts $pool 'Services') -match '^(Registrar|MediationServer):') {
        foreach ($each in @(Get-Texts $pool 'Computers')) { $computers[$each.ToLowerInvariant()] = $true }
    }
}
Get-Services @($computers.Keys | Sort-Object) "Name='RTCSRV' OR Name='RTCMEDSRV'"
"""


def settings(shell: str) -> dict[str, str]:
    """The variables that the script begins with."""
    return {"OwnVersion": _BUILDS[shell], "Cmdlet": "Get-CsPool"}


def guard() -> str:
    """Refuses a server of another version."""
    return _GUARD


def functions() -> str:
    """Functions of the sections."""
    return _FUNCTIONS


def sections(shell: str) -> dict[str, str]:
    """The body of each section. Lync 2010 has no trunks apart from gateways."""
    trunks = "Get-CsService -PstnGateway" if shell == "lync-2010" else "Get-CsTrunk"
    return {
        "CsSite": _SITE,
        "CsPool": _POOL,
        "CsService": _SERVICE_OF_POOL,
        "CsMediaConfiguration": _MEDIA,
        "CsCertificate": _CERTIFICATE,
        "CsDialPlan": _DIAL_PLAN,
        "CsVoicePolicy": _POLICY,
        "CsPstnUsage": _USAGE,
        "CsVoiceRoute": _ROUTE,
        "PstnGateway": _TRUNK.replace("CMDLET", trunks),
        "CsUser": _USER,
        "UMContact": _CONTACT,
        "Service": _SERVICE,
        "Trust": every.TRUST,
        "GroupMember": every.GROUP_MEMBER,
    }
