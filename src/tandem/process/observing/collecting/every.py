"""Sections of both sides: services, trusts, group members. They read Windows and Active Directory, not a product's cmdlets."""

FUNCTIONS = r"""
function Get-Services([string[]]$Servers, [string]$Filter) {
    foreach ($server in $Servers) {
        $remote = @{}
        if ($server -ne $HostName) { $remote = @{ ComputerName = $server } }
        try {
            foreach ($service in @(Get-WmiObject -Class Win32_Service -Filter $Filter -ErrorAction Stop @remote)) {
                $found = @{ Server = $server; Name = $service.Name; Status = $service.State; StartTime = $null }
                $process = 'ProcessId=' + $service.ProcessId
                if ($service.State -eq 'Running') {
                    foreach ($each in @(Get-WmiObject -Class Win32_Process -Filter $process -ErrorAction Stop @remote)) {
                        if ($each.CreationDate) {
                            $started = [System.Management.ManagementDateTimeConverter]::ToDateTime($each.CreationDate)
                            $found.StartTime = Format-Time $started
                        }
                    }
                }
                $found
            }
        } catch {
            Write-Unread 'Service' ($server + ': ' + $_.Exception.Message)
        }
    }
}

function Get-AccountName([string]$DistinguishedName) {
    foreach ($found in @(Get-Found (Get-LdapPath 'GC' $DistinguishedName) '(objectClass=*)' @('objectSid') 'Base')) {
        $sid = New-Object System.Security.Principal.SecurityIdentifier -ArgumentList @($found.Properties['objectsid'][0], 0)
        try {
            $sid.Translate([System.Security.Principal.NTAccount]).Value
        } catch {
            $sid.Value
        }
    }
}

function Get-MemberNames([string]$DistinguishedName) {
    $from = 0
    $path = Get-LdapPath 'LDAP' $DistinguishedName
    do {
        $more = $false
        $wanted = 'member;range=' + $from + '-*'
        foreach ($found in @(Get-Found $path '(objectClass=*)' @($wanted) 'Base')) {
            foreach ($key in @($found.Properties.PropertyNames)) {
                if ($key -like 'member*') {
                    foreach ($member in @($found.Properties[$key])) { Get-AccountName $member }
                }
                if ($key -match '^member;range=[0-9]+-([0-9]+)$') {
                    $from = 1 + [int]$Matches[1]
                    $more = $true
                }
            }
        }
    } while ($more)
}

function Get-Groups([string]$Path, [string]$Filter, [string]$English) {
    foreach ($found in @(Get-Found $Path $Filter @('distinguishedName', 'sAMAccountName') 'Subtree')) {
        $name = Get-First $found 'samaccountname'
        $known = $null
        if ($English -ne '' -and $English -ne $name) { $known = $English }
        @{ Group = $name; WellKnown = $known; Members = @(Get-MemberNames (Get-First $found 'distinguishedname')) }
    }
}
"""

TRUST = r"""
foreach ($trust in $Forest.GetAllTrustRelationships()) {
    @{ Source = $trust.SourceName; Target = $trust.TargetName; Direction = [string]$trust.TrustDirection }
}
foreach ($trust in $Forest.RootDomain.GetAllTrustRelationships()) {
    if ([string]$trust.TrustType -eq 'External') {
        @{ Source = $trust.SourceName; Target = $trust.TargetName; Direction = [string]$trust.TrustDirection }
    }
}
"""

GROUP_MEMBER = r"""
foreach ($name in $GroupNames) {
    Get-Groups ('GC://' + $ForestName) ('(&(objectCategory=group)(sAMAccountName=' + $name + '))') ''
}
$root = 'LDAP://' + $Forest.RootDomain.Name
$domain = @(Get-Found $root '(objectClass=*)' @('objectSid') 'Base')[0]
$sid = New-Object System.Security.Principal.SecurityIdentifier -ArgumentList @($domain.Properties['objectsid'][0], 0)
$known = @{ 'Administrators' = 'S-1-5-32-544' }
$known['Domain Admins'] = $sid.Value + '-512'
$known['Schema Admins'] = $sid.Value + '-518'
$known['Enterprise Admins'] = $sid.Value + '-519'
foreach ($name in @($known.Keys | Sort-Object)) {
    Get-Groups $root ('(objectSid=' + $known[$name] + ')') $name
}
"""
"""Exchange's and Lync's groups by account name anywhere in the forest; Windows's own by SID, as their names are localized."""
