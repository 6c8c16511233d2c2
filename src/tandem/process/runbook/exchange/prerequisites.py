"""Before phase 1: versions and rollups, schema, language packs, names, ports, the authority's root, replication. Only read.

It runs in plain PowerShell, since Exchange may not be installed yet: versions are read from Active Directory (serialNumber, whose
build is written with 30000 added) and, for rollups, from ExSetup.exe. Sources: system requirements of Exchange 2013 and 2016
(coexistence), the table of Exchange's build numbers, process.md, the digest's ports.
"""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.versions import Generation, generation, roles_of
from tandem.org.vocabulary import PoolKind, ServerRole
from tandem.process.roles import CERTIFICATES
from tandem.process.runbook.exchange.authority import trusted_root
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.exchange.preconditions import trusts
from tandem.process.runbook.model import RunbookStep, Shell, Text
from tandem.process.runbook.powershell import array, quote

_WORKERS = (5065, 5066, 5067, 5068)
_FRONT = (5060, 5061)
_BACK = (5062, 5063)
_SETUP_KEYS = {
    "8": "SOFTWARE\\Microsoft\\Exchange\\Setup",
    "14": "SOFTWARE\\Microsoft\\ExchangeServer\\v14\\Setup",
}
"""Where Exchange writes MsiInstallPath, by major version."""

_FOUND = """\
$configuration = "$(([ADSI]'LDAP://RootDSE').configurationNamingContext)"
$found = @()
if ([ADSI]::Exists("LDAP://CN=Microsoft Exchange,CN=Services,$configuration")) {
    $search = New-Object System.DirectoryServices.DirectorySearcher
    $search.SearchRoot = [ADSI]"LDAP://CN=Microsoft Exchange,CN=Services,$configuration"
    $search.Filter = '(&(objectClass=msExchExchangeServer)(!(objectClass=msExchExchangeTransportServer)))'
    foreach ($each in @($search.FindAll())) {
        $match = [regex]::Match("$($each.Properties['serialnumber'])", '^Version (\\d+)\\.(\\d+) \\(Build (\\d+)')
        if (-not $match.Success) { continue }
        $build = [int]$match.Groups[3].Value
        if ($build -ge 30000) { $build -= 30000 }
        $found += New-Object PSObject -Property @{ Name = "$($each.Properties['cn'])"; Major = [int]$match.Groups[1].Value; Minor = [int]$match.Groups[2].Value; Build = $build }
    }
}"""
"""Sets ``$found`` to the Exchange servers of the forest: Name (the first label, as the directory has it), Major, Minor, Build."""

_REPLICATION = """\
if (-not (Get-Command -Name repadmin.exe -ErrorAction SilentlyContinue)) { throw 'repadmin is not on this computer: run this step on a domain controller' }
$columns = @('Kind', 'DestinationSite', 'Destination', 'Context', 'SourceSite', 'Source', 'Transport', 'Failures', 'LastFailure', 'LastSuccess', 'Status')
$failing = @(& repadmin.exe /showrepl '*' /csv | ConvertFrom-Csv -Header $columns | Where-Object { $_.Failures -match '^[1-9]' })
if ($failing.Count -gt 0) { throw ('replication fails: ' + (@($failing | ForEach-Object { $_.Source + ' to ' + $_.Destination }) -join ', ')) }"""
"""The columns of repadmin's table, in its order, under names of our own: its own may be localized."""


def prerequisites(at: ExchangeForest) -> RunbookStep:
    """One step with a check for each of them."""
    return at.step(
        0, "prerequisites", CERTIFICATES,
        Text("Check the prerequisites of Exchange", "Vérifier la configuration requise d'Exchange"),
        shell=Shell.WINDOWS,
        where=Text(
            "PowerShell, on a UM server or on a domain controller, as an administrator of the servers",
            "PowerShell, sur un serveur de messagerie unifiée ou un contrôleur de domaine, comme administrateur des serveurs",
        ),
        checks=(
            _schema(), _versions(at), *_languages(at), _dns(at), _ports(at),
            trusted_root(at.org, [server.fqdn for server in at.um_servers]), *trusts(at, both=True), _REPLICATION,
        ),
        notes=(
            Text(
                "This step only reads. Servers that are not installed yet are skipped: run it again after phase 1.",
                "Cette étape ne fait que lire. Les serveurs qui ne sont pas encore installés sont ignorés : exécutez-la de nouveau après la phase 1.",
            ),
            Text(
                "Language packs are checked only in an Exchange Management Shell; phase 5 checks them again.",
                "Les modules linguistiques ne sont vérifiés que dans un environnement Exchange Management Shell ; la phase 5 les vérifie de nouveau.",
            ),
        ),
        minutes=10,
    )  # fmt: skip


def _schema() -> str:
    """The schema version is shown; that it cannot be read at all is a finding."""
    return (
        "$naming = \"$(([ADSI]'LDAP://RootDSE').schemaNamingContext)\"\n"
        "if (-not $naming) { throw 'the schema cannot be read: is this computer a member of the forest?' }\n"
        'if ([ADSI]::Exists("LDAP://CN=ms-Exch-Schema-Version-Pt,$naming")) {\n'
        "    Write-Host ('Exchange schema version: ' + ([ADSI]\"LDAP://CN=ms-Exch-Schema-Version-Pt,$naming\").rangeUpper)\n"
        "} else {\n    Write-Host 'The schema is not prepared for Exchange: phase 1 needs Schema Admins too'\n}"
    )


def _versions(at: ExchangeForest) -> str:
    """What each version needs by itself, and beside the newest one of the forest."""
    rules = list(_rules(at.newest))
    lines = [_FOUND]
    for server in at.servers:
        if server.service_pack and generation(server) < Generation.E2013:
            name = quote(server.fqdn.partition(".")[0])
            said = quote(f"{server.fqdn}: Service Pack {server.service_pack} is declared")
            lines.append(
                f"if ($found | Where-Object {{ $_.Name -eq {name} -and $_.Minor -lt {server.service_pack} }}) {{ throw {said} }}"
            )
    lines.append("foreach ($each in $found) {")
    lines += [f"    if ({when}) {{ throw ($each.Name + {quote(': ' + needs)}) }}" for when, needs in rules]
    return "\n".join((*lines, "}", *_rollups(at)))


def _rules(newest: Generation) -> Iterator[tuple[str, str]]:
    yield "$each.Major -eq 8 -and $each.Minor -lt 1", "Exchange 2007 needs Service Pack 1 for SIP URI dial plans"
    if newest is Generation.E2013:
        yield "$each.Major -eq 8 -and $each.Minor -lt 3", "beside Exchange 2013, 2007 needs Service Pack 3"
        yield "$each.Major -eq 14 -and $each.Minor -lt 3", "beside Exchange 2013, 2010 needs Service Pack 3"
        yield (
            "$each.Major -eq 15 -and $each.Minor -eq 0 -and $each.Build -lt 712 -and @($found | Where-Object { $_.Major -lt 15 }).Count -gt 0",
            "beside older versions, Exchange 2013 needs Cumulative Update 2",
        )
    if newest is Generation.E2016:
        yield "$each.Major -eq 8", "Exchange 2016 cannot coexist with Exchange 2007"
        yield "$each.Major -eq 14 -and $each.Minor -lt 3", "beside Exchange 2016, 2010 needs Service Pack 3"
        yield (
            "$each.Major -eq 15 -and $each.Minor -eq 0 -and $each.Build -lt 1130",
            "beside Exchange 2016, 2013 needs Cumulative Update 10",
        )


def _rollups(at: ExchangeForest) -> Iterator[str]:
    """Rollups do not show in Active Directory: ExSetup.exe's file version has them."""
    needed = {
        Generation.E2013: ("8", "8.3", 298, "Update Rollup 10"),
        Generation.E2016: ("14", "14.3", 266, "Update Rollup 11"),
    }
    if at.newest not in needed:
        return
    major, release, build, name = needed[at.newest]
    old = [server.fqdn for server in at.servers if {"2007": "8", "2010": "14"}.get(server.version) == major]
    if not old:
        return
    yield (
        f"foreach ($server in {array(old)}) {{\n"
        "    if (@($found | Where-Object { $_.Name -eq ($server -split '\\.')[0] }).Count -eq 0) { continue }\n"
        f"    $key = [Microsoft.Win32.RegistryKey]::OpenRemoteBaseKey('LocalMachine', $server).OpenSubKey({quote(_SETUP_KEYS[major])})\n"
        "    if (-not $key) { throw ($server + ': the registry of Exchange cannot be read') }\n"
        "    $folder = \"$($key.GetValue('MsiInstallPath'))\".TrimEnd('\\').Replace(':', '$')\n"
        "    $file = [System.Diagnostics.FileVersionInfo]::GetVersionInfo('\\\\' + $server + '\\' + $folder + '\\Bin\\ExSetup.exe')\n"
        f"    if ($file.FileBuildPart -lt {build}) {{ throw ($server + {quote(f': {name} for {release} is needed')}) }}\n"
        "}"
    )


def _languages(at: ExchangeForest) -> Iterator[str]:
    """The language packs of the dial plans' languages, where this shell has the cmdlet and the server is there."""
    wanted = {server.fqdn: sorted({plan.language for plan in at.plans_of(server)}) for server in at.um_servers}
    read = {True: "Get-UMServer", False: "Get-UMService"}
    for old in (True, False):
        mine = [
            s for s in at.um_servers
            if (generation(s) < Generation.E2013) is old and wanted[s.fqdn] and (old or ServerRole.MAILBOX in roles_of(s))
        ]  # fmt: skip
        if not mine:
            continue
        pairs = "; ".join(f"{quote(s.fqdn)} = {array(wanted[s.fqdn])}" for s in mine)
        yield (
            f"if (Get-Command -Name {read[old]} -ErrorAction SilentlyContinue) {{\n"
            f"    $wanted = @{{ {pairs} }}\n"
            "    foreach ($server in $wanted.Keys) {\n"
            f"        $there = {read[old]} | Where-Object {{ $server -like ($_.Name + '.*') }}\n"
            "        if (-not $there) { continue }\n"
            '        $languages = @($there.Languages | ForEach-Object { "$_" })\n'
            "        foreach ($language in $wanted[$server]) {\n"
            "            if ($languages -notcontains $language) { throw ($server + ': no UM language pack ' + $language) }\n"
            "        }\n    }\n"
            "} else {\n"
            f"    Write-Warning 'language packs: not checked, this shell has no {read[old]}'\n}}"
        )


def _dns(at: ExchangeForest) -> str:
    """Names to addresses, and each address back to the name (a warning: pools have several)."""
    pools = [name for pool in at.org.voice_pools for name in (pool.fqdn, *pool.servers)]
    names = dict.fromkeys((*(server.fqdn for server in at.um_servers), *pools))
    return (
        f"foreach ($name in {array(names)}) {{\n"
        "    try { $addresses = @([System.Net.Dns]::GetHostAddresses($name)) } catch { throw ($name + ' has no address in DNS here') }\n"
        "    foreach ($address in $addresses) {\n"
        "        $back = ''\n"
        "        try { $back = [System.Net.Dns]::GetHostEntry($address).HostName } catch { $back = '' }\n"
        "        if ($back -ne $name) { Write-Warning ($address.ToString() + ' is ' + $back + ' in DNS, not ' + $name) }\n"
        "    }\n}"
    )


def _ports(at: ExchangeForest) -> str:
    """Of each group of ports at least one answers: plain before phase 5, TLS after it. Pools answer at 5061."""
    rows = [
        f"    New-Object PSObject -Property @{{ Server = {quote(server.fqdn)}; Ports = @({', '.join(map(str, ports))}); Installed = $false }}"
        for server in at.um_servers
        for ports in _listening(server)
    ]
    rows += [
        f"    New-Object PSObject -Property @{{ Server = {quote(pool.fqdn)}; Ports = @({pool.sip_tls_port}); Installed = $true }}"
        for pool in at.org.pools_of(PoolKind.LYNC)
    ]
    return (
        f"{_FOUND}\n$listening = @(\n" + "\n".join(rows) + "\n)\n"
        "foreach ($each in $listening) {\n"
        "    $there = @($found | Where-Object { $_.Name -eq ($each.Server -split '\\.')[0] }).Count -gt 0\n"
        "    if (-not ($there -or $each.Installed)) { continue }\n"
        "    $open = $false\n"
        "    foreach ($port in $each.Ports) {\n"
        "        $client = New-Object System.Net.Sockets.TcpClient\n"
        "        try {\n"
        "            $waiting = $client.BeginConnect($each.Server, $port, $null, $null)\n"
        "            if ($waiting.AsyncWaitHandle.WaitOne(3000, $false) -and $client.Connected) { $open = $true }\n"
        "        } finally { $client.Close() }\n"
        "    }\n"
        "    if (-not $open) { throw ($each.Server + ' answers at none of the ports ' + ($each.Ports -join ', ') + ': see the firewall and the service') }\n"
        "}"
    )


def _listening(server: m.DeclaredMessagingServer) -> Iterator[tuple[int, ...]]:
    """The groups of ports of a UM server: the service's or the router's, the service's workers."""
    version, roles = generation(server), roles_of(server)
    if version < Generation.E2013:
        yield from (_FRONT, _WORKERS)
        return
    if ServerRole.CLIENT_ACCESS in roles or version is Generation.E2016:
        yield _FRONT
    if ServerRole.MAILBOX in roles:
        yield from (_BACK, _WORKERS)
