"""Phase 0: what the topic assumes of a messaging forest. It is checked, and nothing is changed.

Trusts, groups and functional levels belong to the directory administrators; the checks run in plain PowerShell, before Exchange is installed.
"""

from tandem.org.versions import Generation
from tandem.org.vocabulary import PoolKind
from tandem.process.phases import Side
from tandem.process.roles import DIRECTORY_ADMINS
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.model import RunbookStep, Shell, Text
from tandem.process.runbook.powershell import array, quote

_LEVELS = {Generation.E2010: 2, Generation.E2010_SP1: 2, Generation.E2013: 2, Generation.E2016: 3}
"""forestFunctionality that Exchange needs: 2 is Windows Server 2003, 3 is 2008 (system requirements of each version)."""
_FOREST_TRUST = 2
"""Trusts between forests need Windows Server 2003."""
_VOICE = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices")
_OLD = ("Exchange Organization Administrators", "Exchange Recipient Administrators")
_NEW = ("Organization Management", "Recipient Management", "Server Management", "UM Management")


def preconditions(at: ExchangeForest) -> RunbookStep:
    """Trusts with the voice forest, the groups of both sides, the forest's functional level."""
    checks = [*trusts(at, both=True), _groups(at)]
    level = max([_LEVELS.get(v, 0) for v in at.versions] + ([_FOREST_TRUST] if at.two_forests else []))
    checks.append(
        "$level = [int]\"$(([ADSI]'LDAP://RootDSE').forestFunctionality)\"\n"
        f"if ($level -lt {level}) {{ throw ('the functional level of the forest is ' + $level + '; {level} or higher is needed (2: Windows Server 2003, 3: 2008)') }}"
    )
    notes = [
        Text(
            "Read the guidelines for integrating on-premises Unified Messaging and Lync Server first (link below).",
            "Lisez d'abord les instructions pour l'intégration de la messagerie unifiée locale et de Lync Server (lien ci-dessous).",
        ),
        Text(
            "The Exchange and Lync administrators agree beforehand which of them carries out which task ('tandem agree' records it).",
            "Les administrateurs Exchange et Lync conviennent au préalable de la répartition des tâches (« tandem agree » l'enregistre).",
        ),
        Text(
            "This step checks only. The directory administrators create what is missing with their own tools.",
            "Cette étape ne fait que vérifier. Les administrateurs Active Directory créent ce qui manque avec leurs propres outils.",
        ),
    ]
    return at.step(
        0, "preconditions", DIRECTORY_ADMINS,
        Text("Check trusts, groups and functional level", "Vérifier les relations d'approbation, les groupes et le niveau fonctionnel"),
        shell=Shell.WINDOWS, side=Side.DIRECTORY,
        where=Text(
            f"PowerShell, on a computer of {at.forest}", f"PowerShell, sur un ordinateur de la forêt {at.forest}"
        ),
        checks=tuple(checks), notes=tuple(notes),
    )  # fmt: skip


def trusts(at: ExchangeForest, *, both: bool) -> tuple[str, ...]:
    """Where the voice side is in another forest, this one has to trust it; guidelines ask it both ways (a warning)."""
    if not at.two_forests:
        return ()
    voice = quote(at.org.voice_forest)
    lines = [
        "$trusts = @([System.DirectoryServices.ActiveDirectory.Forest]::GetCurrentForest().GetAllTrustRelationships())",
        f"if (-not ($trusts | Where-Object {{ $_.TargetName -eq {voice} -and $_.TrustDirection -ne 'Inbound' }})) "
        f"{{ throw ('this forest does not trust ' + {voice}) }}",
    ]
    if both:
        lines.append(
            f"if (-not ($trusts | Where-Object {{ $_.TargetName -eq {voice} -and $_.TrustDirection -ne 'Outbound' }})) "
            f"{{ Write-Warning ({voice} + ' does not trust this forest: the guidelines ask for trusts both ways') }}"
        )
    return ("\n".join(lines),)


def _groups(at: ExchangeForest) -> str:
    """Groups by their account name, forest-wide: those of Lync, and Exchange's own where its organization is there."""
    # Beside 2007 the role groups come with the first newer server, in phase 1; 2007's groups stay.
    names = _OLD if Generation.E2007 in at.versions else _NEW
    lync = at.org.pools_of(PoolKind.LYNC)
    wanted = f"$wanted = @{{ {quote(at.org.voice_forest)} = {array(_VOICE)} }}\n" if lync else "$wanted = @{}\n"
    return (
        wanted + "$configuration = \"$(([ADSI]'LDAP://RootDSE').configurationNamingContext)\"\n"
        'if ([ADSI]::Exists("LDAP://CN=Microsoft Exchange,CN=Services,$configuration")) {\n'
        f"    $wanted[{quote(at.forest)}] = @($wanted[{quote(at.forest)}]) + {array(names)}\n"
        "}\n"
        "foreach ($forest in $wanted.Keys) {\n"
        "    foreach ($group in @($wanted[$forest] | Where-Object { $_ })) {\n"
        "        $search = New-Object System.DirectoryServices.DirectorySearcher\n"
        "        $search.SearchRoot = [ADSI]('GC://' + $forest)\n"
        "        $search.Filter = '(&(objectCategory=group)(sAMAccountName=' + $group + '))'\n"
        "        if (-not $search.FindOne()) { throw ($forest + ' has no group ' + $group) }\n"
        "    }\n}"
    )
