"""What every collector begins and ends with: its JSON writer, how it reads properties, and how its file comes to be.

PowerShell 2 throughout. A section streams into a temporary file; one that throws is cut off again and named in ``unread``.
The whole is hashed from that file, sealed, and only then renamed.
"""

HEAD = r"""param([string]$Out = '', [switch]$Force)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$Culture = [System.Globalization.CultureInfo]::InvariantCulture
$Unread = @{}
$Cache = @{}
$State = @{ First = $true; Sections = 0; Objects = 0 }

function Format-Text([string]$Text) {
    if ($Text -cmatch '\A[ !#-\[\]-~]*\z') { return '"' + $Text + '"' }
    $written = New-Object System.Text.StringBuilder
    [void]$written.Append('"')
    foreach ($char in $Text.ToCharArray()) {
        $code = [int]$char
        if ($code -eq 34 -or $code -eq 92) {
            [void]$written.Append('\')
            [void]$written.Append($char)
        } elseif ($code -lt 32 -or $code -gt 126) {
            [void]$written.Append('\u')
            [void]$written.Append($code.ToString('x4', $Culture))
        } else {
            [void]$written.Append($char)
        }
    }
    [void]$written.Append('"')
    $written.ToString()
}

function Format-Value($Value) {
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [bool]) {
        if ($Value) { return 'true' }
        return 'false'
    }
    if ($Value -is [int] -or $Value -is [long]) { return $Value.ToString($Culture) }
    if ($Value -is [System.Collections.IDictionary]) {
        $members = @(foreach ($key in @($Value.Keys | Sort-Object)) { (Format-Text $key) + ':' + (Format-Value $Value[$key]) })
        return '{' + ($members -join ',') + '}'
    }
    if ($Value -is [array]) {
        $items = @(foreach ($each in $Value) { Format-Value $each })
        return '[' + ($items -join ',') + ']'
    }
    Format-Text ([string]$Value)
}

function Format-Time([datetime]$Time) {
    $Time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", $Culture)
}

function Get-Value($Object, [string]$Name) {
    $property = $Object.PSObject.Properties[$Name]
    if ($null -eq $property) { throw ('There is no property ' + $Name + ' in this shell.') }
    $property.Value
}

function Get-Text($Object, [string]$Name) {
    $value = Get-Value $Object $Name
    if ($null -ne $value -and [string]$value -ne '') { [string]$value }
}

function Get-Texts($Object, [string]$Name) {
    foreach ($each in @(Get-Value $Object $Name)) {
        if ($null -ne $each -and [string]$each -ne '') { [string]$each }
    }
}

function Get-Number($Object, [string]$Name) {
    $text = Get-Text $Object $Name
    if ($null -eq $text) { return $null }
    if ($text -match '^[0-9]{1,9}$') { return [int]$text }
    $text
}

function Get-Flag($Object, [string]$Name) {
    [string](Get-Value $Object $Name) -eq 'True'
}

function Get-Flags($Object, [string]$Name) {
    foreach ($each in @(Get-Texts $Object $Name)) {
        foreach ($flag in @($each -split ',')) {
            $plain = $flag -replace '\s', ''
            if ($plain -ne '' -and $plain -ne 'None') { $plain }
        }
    }
}

function Get-Time($Object, [string]$Name) {
    $value = Get-Value $Object $Name
    if ($null -ne $value) { Format-Time $value }
}

function Get-NameOf($Value) {
    if ($null -eq $Value) { return $null }
    $property = $Value.PSObject.Properties['Name']
    if ($null -ne $property -and $property.Value) { return [string]$property.Value }
    $text = [string]$Value
    if ($text -match '^CN=((?:[^,\\]|\\.)+),') { return $Matches[1] -replace '\\(.)', '$1' }
    if ($text -match '/((?:[^/\\]|\\.)+)$') { return $Matches[1] -replace '\\(.)', '$1' }
    if ($text -ne '') { $text }
}

function Get-Name($Object, [string]$Name) {
    Get-NameOf (Get-Value $Object $Name)
}

function Get-Names($Object, [string]$Name) {
    foreach ($each in @(Get-Value $Object $Name)) { Get-NameOf $each }
}

function Get-LdapPath([string]$Scheme, [string]$DistinguishedName) {
    $Scheme + '://' + ($DistinguishedName -replace '/', '\/')
}

function Get-Found([string]$Path, [string]$Filter, [string[]]$Properties, [string]$Scope) {
    $searcher = New-Object System.DirectoryServices.DirectorySearcher
    $searcher.SearchRoot = New-Object System.DirectoryServices.DirectoryEntry -ArgumentList $Path
    $searcher.Filter = $Filter
    $searcher.SearchScope = $Scope
    $searcher.PageSize = 1000
    foreach ($each in $Properties) { [void]$searcher.PropertiesToLoad.Add($each) }
    $results = $searcher.FindAll()
    try {
        foreach ($each in $results) { $each }
    } finally {
        $results.Dispose()
    }
}

function Get-First($Result, [string]$Name) {
    foreach ($each in @($Result.Properties[$Name])) {
        if ($null -ne $each) { return [string]$each }
    }
}

function Write-Unread([string]$Section, [string]$Why) {
    if ($Unread.ContainsKey($Section)) { $Why = $Unread[$Section] + '; ' + $Why }
    $Unread[$Section] = $Why
}

function Write-Section([string]$Name, [scriptblock]$Read) {
    Write-Host ('Reading ' + $Name)
    $Writer.Flush()
    $start = $Stream.Length
    $first = $State.First
    $count = $State.Objects
    try {
        if (-not $State.First) { $Writer.Write(',') }
        $Writer.Write((Format-Text $Name) + ':[')
        $State.First = $false
        $State.Comma = ''
        & $Read | ForEach-Object {
            $Writer.Write($State.Comma + (Format-Value $_))
            $State.Comma = ','
            $State.Objects += 1
        }
        $Writer.Write(']')
        $Writer.Flush()
        $State.Sections += 1
    } catch {
        $Writer.Flush()
        $Stream.SetLength($start)
        $State.First = $first
        $State.Objects = $count
        Write-Unread $Name $_.Exception.Message
    }
}

function Get-Sha256([string]$File) {
    try {
        $algorithm = New-Object System.Security.Cryptography.SHA256CryptoServiceProvider
    } catch {
        $algorithm = New-Object System.Security.Cryptography.SHA256Managed
    }
    $whole = [System.IO.File]::OpenRead($File)
    try {
        $bytes = $algorithm.ComputeHash($whole)
    } finally {
        $whole.Close()
    }
    -join @(foreach ($each in $bytes) { $each.ToString('x2', $Culture) })
}
"""

BEGIN = r"""
if ($null -eq (Get-Command $Cmdlet -ErrorAction SilentlyContinue)) {
    throw ('There is no ' + $Cmdlet + ' here: run this in the shell ' + $Shell + '.')
}
$HostName = [System.Net.Dns]::GetHostEntry('').HostName.ToLowerInvariant()
$By = [System.Security.Principal.WindowsIdentity]::GetCurrent().Name
$Forest = [System.DirectoryServices.ActiveDirectory.Domain]::GetComputerDomain().Forest
$ForestName = $Forest.Name.ToLowerInvariant()
if ($Expected -ne '' -and $ForestName -ne $Expected) {
    throw ('This computer is of the forest ' + $ForestName + ', the collector is for ' + $Expected + '.')
}
"""

OPEN = r"""
$Started = [datetime]::UtcNow
if ($Out -eq '') {
    $stamp = $Started.ToString('yyyyMMdd-HHmmss', $Culture)
    $Out = 'tandem-' + $Shell + '-' + $HostName + '-' + $stamp + '.json'
}
$Target = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Out)
if ([System.IO.File]::Exists($Target) -and -not $Force) {
    throw ($Target + ' is there already: give another name by -Out, or -Force.')
}
$Temporary = $Target + '.' + [guid]::NewGuid().ToString('N') + '.tmp'
$Stream = New-Object System.IO.FileStream -ArgumentList $Temporary, 'CreateNew', 'ReadWrite'
try {
    $Writer = New-Object System.IO.StreamWriter -ArgumentList $Stream, ([System.Text.Encoding]::ASCII)
    $Writer.Write('{"format":"tandem-observation","version":1,"side":' + (Format-Text $Side))
    $Writer.Write(',"forest":' + (Format-Text $ForestName) + ',"by":' + (Format-Text $By))
    $Writer.Write(',"host":' + (Format-Text $HostName) + ',"shell":' + (Format-Text $Shell))
    $Writer.Write(',"started":' + (Format-Text (Format-Time $Started)) + ',"objects":{')
"""

CLOSE = r"""
    $Writer.Write('},"unread":' + (Format-Value $Unread))
    $Writer.Write(',"ended":' + (Format-Text (Format-Time ([datetime]::UtcNow))))
    $Writer.Flush()
    $Stream.Close()
    $digest = Get-Sha256 $Temporary
    [System.IO.File]::AppendAllText($Temporary, ',"sha256":"' + $digest + '"}' + "`n", [System.Text.Encoding]::ASCII)
    if ($Force) { [System.IO.File]::Delete($Target) }
    [System.IO.File]::Move($Temporary, $Target)
} finally {
    $Stream.Close()
    [System.IO.File]::Delete($Temporary)
}
$summary = '{0} sections and {1} objects read, {2} sections unread or in part: {3}'
Write-Host ($summary -f $State.Sections, $State.Objects, $Unread.Count, $Target)
"""
