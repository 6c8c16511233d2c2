"""Phase 7: exchucutil.ps1, run where the check finds something missing, and what it overwrites restored.

The shipped script calls its helper by a relative path, reads properties that strict mode refuses, and ends by itself on any
error: it runs in its own folder, without strict mode, and the check decides. Each run deletes and creates again the hunt groups of
the pools' gateways, and sets OutcallsAllowed and MessageWaitingIndicatorAllowed (docs/process.md).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from tandem.org.vocabulary import PoolKind, UriType, VoIPSecurity
from tandem.process.runbook.exchange.forest import SHELLS, ExchangeForest
from tandem.process.runbook.exchange.objects import HUNT_GROUPS_KEPT, gateways_kept, gateways_undo
from tandem.process.runbook.gateways import (
    CONTAINERS,
    GATEWAYS,
    WHATIF,
    container_rights,
    gateway,
    hunt_group,
    hunt_groups_again,
    lacking_rights,
    outcalls,
    remember,
    voice_groups,
)
from tandem.process.runbook.model import UNKNOWN, RunbookStep, Saved, Shell, Text
from tandem.process.runbook.powershell import array, quote, unless_whatif
from tandem.process.tools import exchucutil as tool

_NAME = "exchucutil"
_TELL = "if ($missing.Count -gt 0) { throw ($missing -join '; ') }"
_RIGHTS = '$_.AccessRights | ForEach-Object { "$_" }'


def run_exchucutil(at: ExchangeForest) -> RunbookStep:
    """Permissions, a gateway for each pool, a hunt group for each pool and dial plan; one gateway that may call out."""
    org, shell = at.org, _shell(at)
    waiting = shell is not Shell.EXCHANGE_2007
    users = Counter(user.pool for user in org.users if user.line_uri)
    pools = [tool.Pool(fqdn=p.fqdn, pool_type=p.pool_type, users=users[p.fqdn]) for p in org.voice_pools]
    chosen = [pool.fqdn for pool in tool.chosen(pools, only_ev_pools=org.only_ev_pools)]
    secured, caller = _secured(at), tool.outcall_pool(pools)
    return at.step(
        7, _NAME, at.roles.exchucutil(),
        Text(
            "Run exchucutil: permissions, UM IP gateways, hunt groups",
            "Exécuter exchucutil : autorisations, passerelles IP de messagerie unifiée, groupements de postes",
        ),
        shell=shell,
        commands=(
            f"$pools = {array(p.fqdn for p in org.voice_pools)}\n{remember(message_waiting=waiting)}",
            *_objects(at, chosen, secured),
            container_rights(org.voice_forest),
            outcalls(caller, bool(secured), message_waiting=waiting),
        ),
        checks=(_missing(at, chosen, secured, (*CONTAINERS, GATEWAYS)) + "\n" + _TELL, _calling([p.fqdn for p in org.voice_pools], caller in chosen)),
        notes=tuple(_notes(at, shell)),
        saves=(
            Saved("gateways", gateways_kept(message_waiting=waiting)), Saved("hunt-groups", HUNT_GROUPS_KEPT),
            Saved("permissions", _rights(org.voice_forest)),
        ),
        undo=(
            gateways_undo(at, 7, _NAME, [p.fqdn for p in org.voice_pools], message_waiting=waiting), _rights_undo(at),
        ),
        minutes=2,
    )  # fmt: skip


def _shell(at: ExchangeForest) -> Shell:
    """That of the oldest dial plan: a gateway that a newer version makes could not be managed by an older one."""
    order = list(SHELLS.values())
    return min((at.shell_of(plan.name) for plan in at.plans), key=order.index, default=SHELLS[at.newest])


def _secured(at: ExchangeForest) -> list[str]:
    """The dial plans that pools call: SIP URI, and not Unsecured."""
    return [
        p.name for p in at.plans if p.uri_type is UriType.SIP_NAME and p.voip_security is not VoIPSecurity.UNSECURED
    ]


def _objects(at: ExchangeForest, chosen: Sequence[str], secured: list[str]) -> Iterator[str]:
    org = at.org
    lync = [pool.fqdn for pool in org.pools_of(PoolKind.LYNC)]
    if lync:
        forest = "" if org.voice_forest == at.forest else f" -Forest:{quote(org.voice_forest)}"
        script = (
            "& {\n    Set-StrictMode -Off\n    $ErrorActionPreference = 'Continue'\n    Push-Location $exscripts\n"
            f"    try {{ .\\exchucutil.ps1{forest} }} finally {{ Pop-Location }}\n}}"
        )
        run = "\n".join(f"    {line}" for line in unless_whatif("run exchucutil.ps1", script).split("\n"))
        wanted = [fqdn for fqdn in chosen if fqdn in lync]
        shown = "    $missing | ForEach-Object { Write-Host $_ }"
        yield f"{_missing(at, wanted, secured, CONTAINERS)}\nif ($missing.Count -gt 0) {{\n{shown}\n{run}\n}}"
        yield hunt_groups_again()
    for fqdn in chosen:
        if fqdn not in lync:
            yield "\n".join((gateway(fqdn, fqdn), *(hunt_group(fqdn, name, name) for name in secured)))


def _missing(at: ExchangeForest, pools: Sequence[str], secured: list[str], containers: tuple[str, ...]) -> str:
    """Sets ``$missing``: a line for each gateway, hunt group (pool by dial plan) and permission that is not there."""
    return (
        "$missing = @()\n"
        f"foreach ($pool in {array(pools)}) {{\n"
        '    $gateway = Get-UMIPGateway | Where-Object { "$($_.Address)" -eq $pool } | Select-Object -First 1\n'
        "    if (-not $gateway) { $missing += 'no UM IP gateway for ' + $pool; continue }\n"
        f"    foreach ($plan in {array(secured)}) {{\n"
        "        if (-not (Get-UMHuntGroup | Where-Object { $_.UMIPGateway.Name -eq $gateway.Name -and $_.UMDialPlan.Name -eq $plan "
        '-and "$($_.PilotIdentifier)" -eq $plan })) {\n'
        "            $missing += 'no hunt group of ' + $pool + ' for UM dial plan ' + $plan + ' with its name as pilot identifier'\n"
        "        }\n    }\n}\n" + lacking_rights(at.org.voice_forest, containers)
    )


def _calling(pools: Sequence[str], one: bool) -> str:
    """Of all gateways of pools ``one`` may call out, or none where no pool could: only Directors and branches."""
    wanted = (
        "leave exactly one" if one else "no pool may: each is a Director, a branch, or without Enterprise Voice users"
    )
    return (
        f"$pools = {array(pools)}\n"
        '$calling = @(Get-UMIPGateway | Where-Object { $_.OutcallsAllowed -and $pools -contains "$($_.Address)" })\n'
        f"if ($calling.Count -ne {int(one)}) {{ throw ('outgoing calls are allowed on ' + $calling.Count + ' gateways; {wanted}') }}"
    )


def _rights(voice_forest: str) -> str:
    """The rights of the voice side's groups, on the organization and the containers: object, group, rights."""
    return (
        f"@('') + {array((*CONTAINERS, GATEWAYS))} | ForEach-Object {{ $object = (Get-OrganizationConfig).DistinguishedName; "
        "if ($_) { $object = 'CN=' + $_ + ',' + $object }; "
        f"{voice_groups(voice_forest)} | ForEach-Object {{ $group = $_; "
        "Get-ADPermission -Identity $object -User $group -ErrorAction SilentlyContinue | Where-Object { -not $_.Deny } | "
        "Select-Object -Property @(@{ Name = 'Object'; Expression = { $object } }, @{ Name = 'Group'; Expression = { $group } }, "
        f"@{{ Name = 'Rights'; Expression = {{ @({_RIGHTS}) }} }}) }} }}"
    )


def _rights_undo(at: ExchangeForest) -> str:
    """Takes what was granted from those who had nothing on the object before."""
    return (
        f"$kept = @({at.kept(7, _NAME, 'permissions')} | ForEach-Object {{ $_.Object + ' ' + $_.Group }})\n"
        "$top = (Get-OrganizationConfig).DistinguishedName\n"
        f"foreach ($container in @('') + {array((*CONTAINERS, GATEWAYS))}) {{\n"
        "    $object = $top\n    if ($container) { $object = 'CN=' + $container + ',' + $top }\n"
        f"    foreach ($group in {voice_groups(at.org.voice_forest)}) {{\n"
        "        if ($kept -contains ($object + ' ' + $group)) { continue }\n"
        "        Get-ADPermission -Identity $object -User $group -ErrorAction SilentlyContinue | Where-Object { -not $_.IsInherited -and -not $_.Deny } | "
        f"ForEach-Object {{ Remove-ADPermission -Identity $object -User $group -AccessRights $_.AccessRights -InheritanceType $_.InheritanceType -Confirm:$false {WHATIF} }}\n"
        "    }\n}"
    )


def _notes(at: ExchangeForest, shell: Shell) -> Iterator[Text]:
    org = at.org
    yield Text(
        "Replicate Active Directory, then the Lync administrators restart the Front-End service: until then it sees neither new dial plans nor new servers.",
        "Attendez (ou forcez) la réplication d'Active Directory, puis demandez à l'équipe Lync de redémarrer le service frontal : sans redémarrage, il ne détecte ni "
        "les nouveaux plans de numérotation ni les nouveaux serveurs.",
    )
    if org.pools_of(PoolKind.LYNC):
        yield Text(
            "exchucutil.ps1 runs only if something is missing. Each run deletes and creates again the hunt groups of the pools' gateways and sets OutcallsAllowed and "
            "MessageWaitingIndicatorAllowed; this step puts back what was there before.",
            "exchucutil.ps1 ne s'exécute que s'il manque quelque chose. Chaque exécution supprime et recrée les groupements de postes des passerelles des pools et définit "
            "OutcallsAllowed et MessageWaitingIndicatorAllowed ; cette étape rétablit ensuite l'état antérieur.",
        )
    if org.only_ev_pools:
        yield Text(
            "only_ev_pools: the shipped script still creates a gateway for every pool, Directors and branches included; the check covers only pools with "
            "Enterprise Voice users.",
            "only_ev_pools : le script fourni crée tout de même une passerelle pour chaque pool, directeurs et succursales compris ; la vérification ne porte que sur les "
            "pools qui hébergent des utilisateurs de Voix Entreprise.",
        )
    if at.newest.name != "E2007":
        yield Text(
            "Organization Management alone is accepted; the topic asks for Recipient Management too.",
            "Le groupe de rôles Organization Management (Gestion de l'organisation) suffit ; la rubrique demande également Recipient Management (Gestion des destinataires).",
        )
    if shell is Shell.EXCHANGE_2007 and len(at.shells) > 1:
        yield Text(
            "In Exchange 2007's shell, since its servers use these gateways too. It does not know message waiting: from the newer shell, "
            "see Get-UMIPGateway | Format-List Name, MessageWaitingIndicatorAllowed.",
            "Dans l'environnement d'Exchange 2007, car ses serveurs utilisent aussi ces passerelles. Il ne connaît pas l'indicateur de message en attente : dans "
            "l'environnement plus récent, voir Get-UMIPGateway | Format-List Name, MessageWaitingIndicatorAllowed.",
        )
    if org.pools_of(PoolKind.TANDEM):
        yield UNKNOWN
