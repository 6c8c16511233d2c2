"""Phase 0 for pools of kind lync: what has to be true before the process begins, read only.

Versions and cumulative updates, replication, names (DNS), ports, and the root of the certificates. What can only be true
after a later phase is a warning. Build numbers: Lync Server 2010 is 4.0.7577, 2013 is 5.0.8308, Skype for Business Server
2015 is 6.0.9319; Exchange 2013 asks of Lync Server 2010 cumulative update 3 (July 2011, 4.0.7577.166), of 2013 none.
"""

from collections.abc import Iterator

from tandem.org.versions import Generation, generation
from tandem.org.vocabulary import PoolType, ServerKind, Transport
from tandem.process.roles import VOICE_SERVERS
from tandem.process.runbook.lync.fragments import indented, select
from tandem.process.runbook.lync.side import LyncSide, PoolVersion, servers_of
from tandem.process.runbook.model import RunbookStep, Shell, Text
from tandem.process.runbook.powershell import array, quote

_BUILDS = {Shell.LYNC_2010: "4.0.7577", Shell.LYNC_2013: "5.0.8308", Shell.SKYPE_2015: "6.0.9319"}
_CU3_OF_2010 = "4.0.7577.166"
_TIMEOUT_MS = 3000
_MEDIATION_TLS, _MEDIATION_TCP = 5067, 5068
"""What a Mediation Server listens on for PSTN gateways; on 5068 only where a trunk uses TCP."""


def prerequisites(at: LyncSide, version: PoolVersion) -> RunbookStep:
    """Phase 0: the read-only check before phase 1, in the shell of one version."""
    notes = (
        Text(
            "First read the guidelines for integrating on-premises Unified Messaging and Lync Server (link below).",
            "Consultez d'abord les instructions d'intégration de la messagerie unifiée locale et de Lync Server (lien ci-dessous).",
        ),
        Text(
            "Agree with the Exchange administrators who performs which task before anyone begins ('tandem agree').",
            "Convenez avec les administrateurs Exchange de la répartition des tâches avant de commencer (« tandem agree »).",
        ),
        Text(
            "Nothing is changed. A warning names what is needed later only: UM servers answer on port 5061 from phase 5 on.",
            "Rien n'est modifié. Un avertissement indique ce qui n'est nécessaire que plus tard : les serveurs de messagerie unifiée répondent sur le port 5061 à partir de la phase 5.",
        ),
    )
    checks = (*_versions(at, version), _replication(), *_names(at, version), *_ports(at, version), _root(at))
    title = Text("Check the prerequisites (read only)", "Vérifier la configuration requise (lecture seule)")
    return at.step(
        0, f"prerequisites{version.suffix}", VOICE_SERVERS, title,
        shell=version.shell, checks=checks, notes=notes, minutes=10,
    )  # fmt: skip


def _versions(at: LyncSide, version: PoolVersion) -> Iterator[str]:
    """Get-CsServerVersion says the base version only; updates are read from the list of installed programs."""
    build = _BUILDS[version.shell]
    yield (
        f'$version = "$(Get-CsServerVersion)"\nif (-not $version.Contains({quote(build)})) '
        f"{{ throw ({quote(f'this server is not of version {build}: ')} + $version) }}\n"
        "Get-ItemProperty -Path 'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\*' | "
        f"{select('DisplayName', 'DisplayVersion')} | "
        "Where-Object { \"$($_.DisplayName)\" -match '^(Microsoft Lync Server|Skype for Business Server)' } | "
        "Sort-Object -Property DisplayName | Format-Table -AutoSize"
    )
    newest = [generation(s) for s in at.org.messaging_servers if s.kind is ServerKind.EXCHANGE]
    if version.shell is Shell.LYNC_2010 and any(g >= Generation.E2013 for g in newest):
        old = quote(f"Exchange 2013 needs cumulative update 3 of Lync Server 2010 ({_CU3_OF_2010}); found ")
        yield (
            "$core = Get-ItemProperty -Path 'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\*' | "
            f"{select('DisplayName', 'DisplayVersion')} | "
            "Where-Object { \"$($_.DisplayName)\" -like 'Microsoft Lync Server 2010, Core Components*' } | Select-Object -First 1\n"
            "if (-not $core) { throw 'Microsoft Lync Server 2010, Core Components is not installed here' }\n"
            f"if ([version]$core.DisplayVersion -lt [version]{quote(_CU3_OF_2010)}) {{ throw ({old} + $core.DisplayVersion) }}"
        )


def _replication() -> str:
    return (
        "$late = @(Get-CsManagementStoreReplicationStatus | Where-Object { -not $_.UpToDate })\n"
        "if ($late.Count -gt 0) { throw ('the Central Management store is not replicated to ' + "
        "(@($late | ForEach-Object { $_.ReplicaFqdn }) -join ', ')) }"
    )


def _names(at: LyncSide, version: PoolVersion) -> Iterator[str]:
    """Every name has an address; a server's address has its name; no two pools share an address (UM's event 1175)."""
    servers = " + ".join(servers_of(pool) for pool in version.pools)
    um = array(server.fqdn for server in at.org.messaging_servers)
    pools = array(pool.fqdn for pool in version.pools)
    gateways = array(gateway.fqdn for gateway in at.org.pstn_gateways)
    resolve = (
        "try { $addresses = @([System.Net.Dns]::GetHostAddresses($name)) } catch { $addresses = @() }\n"
        "if ($addresses.Count -eq 0) { $unknown += $name }"
    )
    back = (
        "foreach ($address in $addresses) {\n"
        "    try { $found = [System.Net.Dns]::GetHostEntry($address).HostName } catch { $found = 'no name' }\n"
        "    if ($found -ne $name) { Write-Warning ($name + ' has address ' + $address + ', which has ' + $found) }\n}"
    )
    yield (
        f"$unknown = @()\nforeach ($name in ({pools} + {gateways})) {{\n{indented(resolve)}\n}}\n"
        f"foreach ($name in ({servers} + {um})) {{\n{indented(resolve)}\n{indented(back)}\n}}\n"
        "if ($unknown.Count -gt 0) { throw ('no address (DNS): ' + ($unknown -join ', ')) }"
    )
    yield (
        f"$owner = @{{}}\nforeach ($name in {array(pool.fqdn for pool in at.pools)}) {{\n"
        "    foreach ($address in @([System.Net.Dns]::GetHostAddresses($name))) {\n"
        "        if ($owner.ContainsKey(\"$address\")) { throw ($name + ' and ' + $owner[\"$address\"] + ' have the same address: UM takes them for one gateway') }\n"
        '        $owner["$address"] = $name\n    }\n}'
    )


def _ports(at: LyncSide, version: PoolVersion) -> Iterator[str]:
    """The Registrar's 5061 has to answer; Mediation Servers, PSTN gateways and UM servers may come later."""
    for pool in version.pools:
        yield f"foreach ($name in {servers_of(pool)}) {{\n{indented(_reach('$name', pool.sip_tls_port, 'throw'))}\n}}"
        trunks = {g.transport for g in at.org.pstn_gateways if g.pool == pool.fqdn}
        wanted = [(_MEDIATION_TLS, Transport.TLS in trunks), (_MEDIATION_TCP, Transport.TCP in trunks)]
        for port in (port for port, used in wanted if used and pool.pool_type is not PoolType.DIRECTOR):
            yield f"foreach ($name in {servers_of(pool)}) {{\n{indented(_reach('$name', port, 'Write-Warning'))}\n}}"
    for server in at.org.messaging_servers:
        yield _reach(quote(server.fqdn), server.sip_tls_port, "Write-Warning")
    for gateway in at.org.pstn_gateways:
        yield _reach(quote(gateway.fqdn), gateway.port, "Write-Warning")


def _reach(name: str, port: int, otherwise: str) -> str:
    """A connection within three seconds. ``name`` is an expression, ``otherwise`` a command that takes a message."""
    return (
        "$client = New-Object System.Net.Sockets.TcpClient\n"
        f"try {{\n    $pending = $client.BeginConnect({name}, {port}, $null, $null)\n"
        f"    $open = $pending.AsyncWaitHandle.WaitOne({_TIMEOUT_MS}, $false) -and $client.Connected\n"
        "} catch { $open = $false } finally { $client.Close() }\n"
        f"if (-not $open) {{ {otherwise} ({name} + ' does not answer on port {port}') }}"
    )


def _root(at: LyncSide) -> str:
    """The certification authority of the UM servers' certificates leads to a trusted root of this computer."""
    authority = quote(at.org.certificate_authority) if at.org.certificate_authority else "$CertificateAuthority"
    return f"""$authority = {authority}
$called = 'CN=' + ($authority -split '\\\\')[-1]
if ($called -eq 'CN=') {{
    Write-Warning 'no certification authority is declared: check by hand that the root of the UM servers'' certificates is in Trusted Root Certification Authorities (local computer)'
}} else {{
    $found = @(Get-ChildItem -Path @('Cert:\\LocalMachine\\Root', 'Cert:\\LocalMachine\\CA') | Where-Object {{ ($_.Subject -split ', ') -contains $called }})
    $trusted = $false
    foreach ($certificate in $found) {{
        $chain = New-Object System.Security.Cryptography.X509Certificates.X509Chain
        $chain.ChainPolicy.RevocationMode = 'NoCheck'
        if ($chain.Build($certificate)) {{ $trusted = $true }}
    }}
    if (-not $trusted) {{ throw ($called + ' leads to no trusted root: import the root certificate into Trusted Root Certification Authorities (local computer)') }}
}}"""
