"""Phase 0 for pools of kind lync: what the topic assumes is checked, nothing is changed.

The topic's introduction assumes Lync Server with collocated Mediation Servers and users who are enabled for it. Who finds
something missing makes it as for any Lync deployment; the steps name the cmdlet, and do not run it.
"""

from collections.abc import Iterator

from tandem.org.vocabulary import PoolType, ServerKind
from tandem.process.phases import Side
from tandem.process.roles import DIRECTORY_ADMINS, VOICE_SERVERS, VOICE_USERS
from tandem.process.runbook.lync.side import USER_ROWS, LyncSide, servers_of
from tandem.process.runbook.model import UNKNOWN, RunbookStep, Shell, Text
from tandem.process.runbook.powershell import array, quote

_GROUPS = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices")
_HOSTS_USERS = (PoolType.STANDARD_EDITION, PoolType.FRONT_END)
_TWO_FORESTS = Text(
    "Exchange is in another forest: the UM settings of each user (EUM addresses) have to be on the user of the Lync forest, "
    "by Forefront Identity Manager or a script of yours; step 11/lync-um-settings checks it.",
    "Exchange se trouve dans une autre forêt : les paramètres de messagerie unifiée de chaque utilisateur (adresses EUM) doivent "
    "figurer sur l'utilisateur de la forêt Lync, au moyen de Forefront Identity Manager ou d'un script ; l'étape 11/lync-um-settings le vérifie.",
)


def directory_there(at: LyncSide) -> RunbookStep:
    """Phase 0: the groups of Lync Server, replication, and trusts with the messaging forests."""
    forest = at.org.voice_forest
    checks = [
        f"foreach ($group in {array(_GROUPS)}) {{\n"
        f"    $forest = New-Object System.DirectoryServices.DirectoryEntry({quote(f'GC://{forest}')})\n"
        '    $finder = New-Object System.DirectoryServices.DirectorySearcher($forest, "(&(objectCategory=group)(sAMAccountName=$group))")\n'
        "    if (-not $finder.FindOne()) { throw ('there is no group ' + $group + ': prepare the forest for Lync Server (Enable-CsAdForest)') }\n}"
    ]
    checks += [_REPLICATION, *(_trust(other) for other in at.other_forests)]
    notes = [
        Text(
            f"Trusts both ways: {other} has to trust {forest}; the guidelines ask for the other way too.",
            f"Relations d'approbation dans les deux sens : {other} doit approuver {forest} ; les instructions demandent aussi l'inverse.",
        )
        for other in at.other_forests
    ]
    title = Text(
        "Check Active Directory: Lync Server's groups, replication, trusts between forests",
        "Vérifier Active Directory : groupes de Lync Server, réplication, relations d'approbation entre forêts",
    )
    where = Text(
        f"Windows PowerShell, on a domain member of {forest}", f"Windows PowerShell, sur un membre du domaine {forest}"
    )
    return at.step(
        0, "directory", DIRECTORY_ADMINS, title, side=Side.DIRECTORY, shell=Shell.WINDOWS, where=where,
        checks=tuple(checks), notes=tuple(notes), links=(),
    )  # fmt: skip


_REPLICATION = """$failed = @()
foreach ($domain in @([System.DirectoryServices.ActiveDirectory.Forest]::GetCurrentForest().Domains)) {
    foreach ($controller in @($domain.DomainControllers)) {
        foreach ($neighbor in @($controller.GetAllReplicationNeighbors())) {
            if ($neighbor.ConsecutiveFailureCount -gt 0) { $failed += $controller.Name + ' from ' + $neighbor.SourceServer }
        }
    }
}
if ($failed.Count -gt 0) { throw ('Active Directory does not replicate to ' + ($failed -join ', ')) }"""


def _trust(messaging_forest: str) -> str:
    """Seen from the voice forest a trust of the messaging forest is inbound: its users are let in there."""
    return (
        "$trusts = @([System.DirectoryServices.ActiveDirectory.Forest]::GetCurrentForest().GetAllTrustRelationships() | "
        f"Where-Object {{ $_.TargetName -eq {quote(messaging_forest)} }})\n"
        "if (-not ($trusts | Where-Object { \"$($_.TrustDirection)\" -ne 'Outbound' })) "
        f"{{ throw {quote(f'{messaging_forest} does not trust this forest')} }}\n"
        "if (-not ($trusts | Where-Object { \"$($_.TrustDirection)\" -ne 'Inbound' })) "
        f"{{ Write-Warning {quote(f'this forest does not trust {messaging_forest}; the guidelines ask for trusts both ways')} }}"
    )


def pools_there(at: LyncSide) -> RunbookStep:
    """Phase 0: the pools, their servers and Mediation Servers are in the topology."""
    checks: list[str] = []
    for pool in at.pools:
        missing = quote(f"{pool.fqdn} is not in the topology: define it in Topology Builder and publish the topology")
        checks.append(
            f"$pool = Get-CsPool -Identity {quote(pool.fqdn)} -ErrorAction SilentlyContinue\nif (-not $pool) {{ throw {missing} }}\n"
            f'$computers = @($pool.Computers | ForEach-Object {{ "$_" }})\n'
            f"$others = @({servers_of(pool)} | Where-Object {{ $computers -notcontains $_ }})\n"
            f"if ($others.Count -gt 0) {{ throw ({quote(f'{pool.fqdn} has no server ')} + ($others -join ', ')) }}"
        )
        if pool.pool_type in _HOSTS_USERS:
            without = quote(f"{pool.fqdn} has no collocated Mediation Server: add it in Topology Builder and publish")
            checks.append(
                f'if (-not (Get-CsService -MediationServer | Where-Object {{ "$($_.PoolFqdn)" -eq {quote(pool.fqdn)} }})) {{ throw {without} }}'
            )
    title = Text("Check the Lync Server pools", "Vérifier les pools Lync Server")
    return at.step(0, "pools", VOICE_SERVERS, title, checks=tuple(checks), notes=tuple(_pool_notes(at)))


def _pool_notes(at: LyncSide) -> Iterator[Text]:
    yield Text(
        "Each Front End pool has a collocated Mediation Server, and the topology is published.",
        "Chaque pool frontal comporte un serveur de médiation colocalisé, et la topologie est publiée.",
    )
    if at.other_forests:
        yield _TWO_FORESTS
    for pool in at.pools:
        if not pool.servers and pool.pool_type is not PoolType.STANDARD_EDITION:
            yield Text(
                f"{pool.fqdn}: its servers are not declared; the steps read them from the topology.",
                f"{pool.fqdn} : ses serveurs ne sont pas déclarés ; les étapes les lisent dans la topologie.",
            )
    if any(server.kind is ServerKind.TANDEM for server in at.org.messaging_servers):
        yield UNKNOWN


def users_there(at: LyncSide) -> RunbookStep:
    """Phase 0: users are enabled for Lync Server, in the pool that is declared.

    A check only: the topic assumes it, and the SIP address and pool of a user are decisions of the Lync administrators.
    """
    check = (
        f"$wrong = @()\nforeach ($row in {USER_ROWS}) {{\n"
        "    $user = Get-CsUser -Identity $row.Sip -ErrorAction SilentlyContinue\n"
        "    if (-not $user) { $user = Get-CsUser -Identity $row.Upn -ErrorAction SilentlyContinue }\n"
        "    if (-not $user) { $wrong += $row.Upn + ' is not enabled' }\n"
        "    elseif (\"$($user.SamAccountName)\" -ne $row.Account) { $wrong += $row.Sip + ' is the address of ' + $user.SamAccountName }\n"
        "    elseif (\"$($user.RegistrarPool)\" -ne $row.Pool) { $wrong += $row.Upn + ' is in pool ' + $user.RegistrarPool }\n}\n"
        "if ($wrong.Count -gt 0) { throw ($wrong -join '; ') }"
    )
    notes = (
        Text(
            "For a user who is not enabled, with the values of lync-users.csv: Enable-CsUser -Identity UPN -RegistrarPool POOL -SipAddress sip:ADDRESS",
            "Pour un utilisateur qui n'est pas activé, avec les valeurs de lync-users.csv : Enable-CsUser -Identity UPN -RegistrarPool POOL -SipAddress sip:ADRESSE",
        ),
        UPN_NOTE,
    )
    title = Text(
        "Check that the users are enabled for Lync Server",
        "Vérifier que les utilisateurs sont activés pour Lync Server",
    )
    return at.step(
        0, "users", VOICE_USERS, title, checks=(check,), notes=notes, tables=(at.users_table(),),
        minutes=5 + len(at.users) // 100,
    )  # fmt: skip


UPN_NOTE = Text(
    "Column Upn of lync-users.csv holds ACCOUNT@FOREST: correct it in the file where the user principal name differs.",
    "La colonne Upn de lync-users.csv contient COMPTE@FORÊT : corrigez-la dans le fichier si le nom d'utilisateur principal (UPN) est différent.",
)
