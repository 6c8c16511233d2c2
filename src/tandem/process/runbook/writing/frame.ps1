# Below: what carries the steps out. PowerShell 2 and later.

$folder = Split-Path -Parent $MyInvocation.MyCommand.Path
$tables = $folder
$saved = Join-Path $folder 'saved'
$evidence = Join-Path $folder 'evidence'
$here = [System.Net.Dns]::GetHostEntry('').HostName
$invariant = [System.Globalization.CultureInfo]::InvariantCulture
$Step = @($Step | ForEach-Object { $_ -split ',' } | Where-Object { $_ })

function Test-TandemYes([string]$Question) {
    @('yes', 'oui') -contains "$(Read-Host ($Question + ' ' + $words.Yes))".Trim()
}

function Get-TandemHash([byte[]]$Bytes) {
    $hasher = [System.Security.Cryptography.SHA256]::Create()
    [System.BitConverter]::ToString($hasher.ComputeHash($Bytes)).Replace('-', '').ToLowerInvariant()
}

function ConvertTo-TandemText([string]$Text) {
    $out = New-Object System.Text.StringBuilder
    foreach ($char in $Text.ToCharArray()) {
        $code = [int]$char
        if ($code -eq 34 -or $code -eq 92) {
            [void]$out.Append('\').Append($char)
        } elseif ($code -lt 32 -or $code -gt 126) {
            [void]$out.Append('\u').Append($code.ToString('x4', $invariant))
        } else {
            [void]$out.Append($char)
        }
    }
    '"' + $out.ToString() + '"'
}

function Get-TandemTime([DateTime]$At) {
    $At.ToString('yyyy-MM-ddTHH:mm:ssZ', $invariant)
}

function Write-TandemResult($Entry, [string]$Name, [DateTime]$Started, [string]$Outcome, [string]$Message, [string]$Log) {
    $hash = ''
    if ($Log -and (Test-Path -LiteralPath $Log)) { $hash = Get-TandemHash ([System.IO.File]::ReadAllBytes($Log)) }
    $members = @(
        @('format', 'tandem-evidence'), @('step', $Entry.Id), @('digest', $Entry.Digest), @('forest', $forest), @('shell', $shell),
        @('host', $here), @('user', [System.Security.Principal.WindowsIdentity]::GetCurrent().Name),
        @('started', (Get-TandemTime $Started)), @('ended', (Get-TandemTime ([DateTime]::UtcNow))), @('outcome', $Outcome),
        @('message', $Message), @('transcript', $(if ($hash) { $Name + '.txt' } else { '' })), @('transcript_sha256', $hash)
    )
    $lines = @($members | ForEach-Object { (ConvertTo-TandemText $_[0]) + ':' + (ConvertTo-TandemText $_[1]) })
    $body = "{`n" + '"version":1,' + "`n" + [string]::Join(",`n", $lines)
    $ascii = New-Object System.Text.ASCIIEncoding
    $file = Join-Path $evidence ($Name + '.json')
    [System.IO.File]::WriteAllText($file, $body + ',"sha256":"' + (Get-TandemHash ($ascii.GetBytes($body))) + '"}', $ascii)
    Write-Host ($words.Result + ' ' + $file)
    if ($Outcome -eq 'done') { Write-Host ('tandem confirm FILE ' + $Entry.Id + ' --evidence ' + $Name + '.json') }
}

function Save-TandemState($Entry) {
    foreach ($each in $Entry.Saves) {
        $file = Join-Path $saved $each.File
        if (Test-Path -LiteralPath $file) {
            Write-Host ($words.SavedBefore + ' ' + $file)
        } else {
            & $each.Value | Export-Clixml -Path $file
        }
    }
}

function Show-TandemStep($Entry) {
    Write-Host ''
    Write-Host ('== ' + $Entry.Id + ': ' + $Entry.Title)
    foreach ($line in $Entry.Notes) { Write-Host ('   ' + $line) }
    if ($Entry.NoReturn) { Write-Host ($words.NoReturn + ' ' + $Entry.NoReturn) }
    foreach ($line in $Entry.Typed) { Write-Host (' - ' + $line) }
}

function Invoke-TandemStep($Entry) {
    if ($Entry.NoReturn -and -not (Test-TandemYes $words.GoOn)) { throw ($Entry.Id + ': ' + $words.NotDone) }
    Save-TandemState $Entry
    if ($Entry.Typed.Count -gt 0 -and -not (Test-TandemYes $words.ByHand)) { throw ($Entry.Id + ': ' + $words.NotDone) }
    if ($Entry.Commands) { & $Entry.Commands | Out-Host }
    if ($Entry.Checks) { & $Entry.Checks | Out-Host }
}

function Undo-TandemStep($Entry) {
    if (-not (Test-TandemYes $words.BackOut)) { throw ($Entry.Id + ': ' + $words.NotDone) }
    & $Entry.Undo | Out-Host
    foreach ($each in $Entry.Saves) {
        $file = Join-Path $saved $each.File
        if (Test-Path -LiteralPath $file) {
            Move-Item -Path $file -Destination ($file + '.' + [DateTime]::UtcNow.ToString('yyyyMMddHHmmss', $invariant))
        }
    }
}

function Invoke-TandemTrial($Block) {
    Push-Location -Path $folder
    try { if ($Block) { & $Block | Out-Host } } finally { Pop-Location }
}

function Invoke-TandemRecorded($Entry, [bool]$BackOut) {
    foreach ($each in @($saved, $evidence)) {
        if (-not (Test-Path -LiteralPath $each)) { [void](New-Item -ItemType Directory -Path $each) }
    }
    $started = [DateTime]::UtcNow
    $name = $Entry.File + '-' + $started.ToString('yyyyMMddHHmmss', $invariant)
    $log = Join-Path $evidence ($name + '.txt')
    try {
        Start-Transcript -Path $log | Out-Null
    } catch {
        Write-Warning ($words.NoTranscript + " $_")
        $log = ''
    }
    $outcome = 'failed'
    $message = ''
    Push-Location -Path $folder
    try {
        Show-TandemStep $Entry
        if ($BackOut) {
            Undo-TandemStep $Entry
            $outcome = 'backed out'
        } else {
            Invoke-TandemStep $Entry
            $outcome = 'done'
        }
    } catch {
        $message = "$_"
        Write-Host $message
    } finally {
        Pop-Location
        if ($log) { Stop-Transcript | Out-Null }
    }
    Write-TandemResult $Entry $name $started $outcome $message $log
    if ($outcome -eq 'failed') { throw ($Entry.Id + ': ' + $message) }
}

function Test-TandemNeeds($Entry, $Left, $Asked) {
    $open = @($Left | Where-Object { $Entry.Needs -contains $_.Phase } | ForEach-Object { $_.Id })
    $waits = $Entry.Awaits
    if ($open.Count -gt 0) { $waits = ($waits + ' ' + $words.Skipped + ' ' + [string]::Join(', ', $open)).Trim() }
    if (-not $waits -or $Asked.ContainsKey($waits)) { return $true }
    Write-Host ''
    Write-Host ($Entry.Id + ': ' + $words.Needs + ' ' + $waits)
    $Asked[$waits] = $true
    Test-TandemYes $words.Finished
}

if ($Undo) {
    $entry = @($steps | Where-Object { $_.Id -eq $Undo })
    if ($entry.Count -eq 0) { throw ($words.Unknown + ' ' + $Undo) }
    if (-not $entry[0].Undo) { throw ($Undo + ': ' + $words.NoUndo + ' ' + $entry[0].NoReturn) }
    if ($entry[0].Server -and $entry[0].Server -ne $here) { throw ($words.OnlyOn + ' ' + $entry[0].Server) }
    if ($WhatIfPreference) { Invoke-TandemTrial $entry[0].Undo } else { Invoke-TandemRecorded $entry[0] $true }
    return
}

$unknown = @($Step | Where-Object { $name = $_; -not ($steps | Where-Object { $_.Id -like $name }) })
if ($unknown.Count -gt 0) { throw ($words.Unknown + ' ' + [string]::Join(', ', $unknown)) }
$left = @()
$asked = @{}
foreach ($entry in $steps) {
    if ($Step.Count -gt 0 -and -not ($Step | Where-Object { $entry.Id -like $_ })) { continue }
    if ($entry.Server -and $entry.Server -ne $here) {
        Write-Host ($entry.Id + ': ' + $words.OnlyOn + ' ' + $entry.Server)
        $left += $entry
    } elseif ($WhatIfPreference) {
        Show-TandemStep $entry
        Invoke-TandemTrial $entry.Commands
    } elseif ($Step.Count -eq 0 -and -not (Test-TandemNeeds $entry $left $asked)) {
        Write-Host ($words.Ends + ' ' + $entry.Id)
        break
    } else {
        Invoke-TandemRecorded $entry $false
    }
}
