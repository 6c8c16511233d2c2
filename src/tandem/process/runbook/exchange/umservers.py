"""Phase 5: the UM servers into the dial plans. From 2010 on: startup mode, then the certificate, then the restart.

Exchange 2007 has no startup mode: its UM service reads the VoIP security of its dial plans when it starts, and chooses its
certificate then (event 1112). From 2013 on there are the UM service and the UM Call Router.

A service restarts if it started before the last change of its settings or of its certificate, not only after a change of this
run: so changes of an interrupted run take effect too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tandem.org import model as m
from tandem.org.topology import startup_mode
from tandem.org.versions import Generation, generation, roles_of
from tandem.org.vocabulary import ServerRole, StartupMode, UriType
from tandem.process.roles import Requirement, call_router, um_service
from tandem.process.runbook.exchange.certificates import find
from tandem.process.runbook.exchange.forest import SHELLS, ExchangeForest, year
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.model import RunbookStep, Saved, Text
from tandem.process.runbook.powershell import array, quote, unless_whatif


@dataclass(frozen=True, slots=True, kw_only=True)
class UMRole:
    """A UM service of a server: how it is read and written, its Windows service, its name at Enable-ExchangeCertificate.

    ``step`` is the name of its step, before the server's. ``mode`` is None where there is no startup mode (2007).
    """

    step: str
    server: m.DeclaredMessagingServer
    plans: tuple[m.DeclaredUMDialPlan, ...]
    read: str
    write: str
    service: str
    certificate: str
    required: Requirement
    what: Text
    mode: StartupMode | None

    @property
    def names(self) -> str:
        """The dial plans that the server is put into, as a PowerShell array."""
        # From 2013 on a server cannot be put into a TelExtn or E.164 dial plan, and answers for it all the same.
        modern = generation(self.server) >= Generation.E2013
        return array(p.name for p in self.plans if not modern or p.uri_type is UriType.SIP_NAME)

    @property
    def secured(self) -> bool:
        """Whether it needs a certificate for some of its dial plans, and is given one (2007 chooses its own)."""
        return self.mode not in (None, StartupMode.TCP)


def dial_plan_servers(at: ExchangeForest) -> Iterator[RunbookStep]:
    """A step for each UM service and UM Call Router that answers for a dial plan."""
    for server in at.um_servers:
        if plans := at.plans_of(server):
            for role in _roles(server, plans):
                yield _step(at, role)


def _roles(server: m.DeclaredMessagingServer, plans: tuple[m.DeclaredUMDialPlan, ...]) -> Iterator[UMRole]:
    fqdn, version = quote(server.fqdn), generation(server)
    mode = None if version is Generation.E2007 else startup_mode({p.voip_security for p in plans})
    service = Text("UM service", "service de messagerie unifiée")
    if version < Generation.E2013:
        yield UMRole(
            step="um-service", server=server, plans=plans, mode=mode, service="MSExchangeUM", certificate="UM",
            read=f"Get-UMServer -Identity {fqdn}", write=f"Set-UMServer -Identity {fqdn}",
            required=um_service(server), what=service,
        )  # fmt: skip
        return
    if ServerRole.MAILBOX in roles_of(server):
        yield UMRole(
            step="um-service", server=server, plans=plans, mode=mode, service="MSExchangeUM", certificate="UM",
            read=f"Get-UMService -Identity {fqdn}", write=f"Set-UMService -Identity {fqdn}",
            required=um_service(server), what=service,
        )  # fmt: skip
    if ServerRole.CLIENT_ACCESS in roles_of(server) or version is Generation.E2016:
        yield UMRole(
            step="call-router", server=server, plans=plans, mode=mode, service="MSExchangeUMCR", certificate="UMCallRouter",
            read=f"Get-UMCallRouterSettings -Server {fqdn}", write=f"Set-UMCallRouterSettings -Server {fqdn}",
            required=call_router(), what=Text("UM Call Router", "routeur d'appels de messagerie unifiée"),
        )  # fmt: skip


def _step(at: ExchangeForest, role: UMRole) -> RunbookStep:
    server, name = role.server, f"{role.step}-{role.server.fqdn}"
    shell, old = SHELLS[generation(server)], generation(server) is Generation.E2007
    commands = [_settings(role), *([_enable(role)] if role.secured else []), _restart(role)]
    local = Text(
        f"Exchange Management Shell of {server.fqdn} itself", f"Exchange Management Shell de {server.fqdn} lui-même"
    )
    remote = Text(
        f"Exchange Management Shell of Exchange {year(shell)}, as local administrator of {server.fqdn}",
        f"Exchange Management Shell d'Exchange {year(shell)}, comme administrateur local de {server.fqdn}",
    )
    return at.step(
        5, name, role.required,
        Text(f"Add {server.fqdn} ({role.what.en}) to the dial plans", f"Ajouter {server.fqdn} ({role.what.fr}) aux plans de numérotation"),
        shell=shell, server=server.fqdn if old else "", where=local if old else remote,
        commands=tuple(commands), checks=tuple(_checks(role)), notes=tuple(_notes(role)),
        saves=(Saved(f"{role.step}", _kept(role)),), undo=(_undo(at, role, name),),
    )  # fmt: skip


def _settings(role: UMRole) -> str:
    """Adds what is missing; dial plans that the server is in already are kept, since -DialPlans takes the whole list."""
    differs, setting = "$missing.Count -gt 0", ""
    if role.mode:
        differs, setting = (
            f"{differs} -or \"$($server.UMStartupMode)\" -ne '{role.mode}'",
            f" -UMStartupMode {role.mode}",
        )
    return (
        f"$changed = $false\n$server = {role.read}\n"
        "$held = @($server.DialPlans | Where-Object { $_ } | ForEach-Object { $_.Name })\n"
        f"$missing = @({role.names} | Where-Object {{ $held -notcontains $_ }})\n"
        f"if ({differs}) {{\n"
        f"    {role.write} -DialPlans ($held + $missing){setting} {WHATIF}\n    $changed = $true\n}}"
    )


def _enable(role: UMRole) -> str:
    """The certificate for this service alone: for IIS or SMTP it would replace one with other names, and stay there."""
    missing = quote(f"{role.server.fqdn}: no certificate; see phase 2")
    return (
        f"$certificate = {find(role.server)} | Sort-Object -Property NotAfter -Descending | Select-Object -First 1\n"
        f"if (-not $certificate) {{\n    if (-not $WhatIfPreference) {{ throw {missing} }}\n"
        f"}} elseif (\"$($certificate.Services)\" -notmatch '\\b{role.certificate}\\b') {{\n"
        f"    Enable-ExchangeCertificate -Server {quote(role.server.fqdn)} -Thumbprint $certificate.Thumbprint -Services {role.certificate} {WHATIF}\n"
        "    $changed = $true\n}"
    )


def _started(role: UMRole) -> str:
    """Sets ``$started`` (null if the service does not run) and ``$written``, the last change that it takes at its start."""
    fqdn = quote(role.server.fqdn)
    lines = [
        f"$service = Get-WmiObject -Class Win32_Service -ComputerName {fqdn} -Filter \"Name='{role.service}'\"",
        "$started = $null",
        "if ($service -and $service.State -eq 'Running') {",
        f"    $process = Get-WmiObject -Class Win32_Process -ComputerName {fqdn} -Filter ('ProcessId=' + $service.ProcessId)",
        "    $started = [System.Management.ManagementDateTimeConverter]::ToDateTime($process.CreationDate)",
        "}",
        f"$written = @(({role.read}).WhenChanged)",
    ]
    if role.mode is None:
        lines.append(
            f"$written += @({role.names} | ForEach-Object {{ (Get-UMDialPlan -Identity $_).WhenChanged }})\n"
            f"$written += @({find(role.server)} | ForEach-Object {{ $_.NotBefore }})"
        )
    lines.append("$written = $written | Where-Object { $_ } | Sort-Object | Select-Object -Last 1")
    return "\n".join(lines)


def _restart(role: UMRole) -> str:
    restart = f"Get-Service -ComputerName {quote(role.server.fqdn)} -Name {role.service} | Restart-Service -Force"
    guarded = unless_whatif(f"Restart-Service {role.service} on {role.server.fqdn}", restart)
    body = "\n".join(f"    {line}" for line in guarded.split("\n"))
    return f"{_started(role)}\nif ($changed -or -not $started -or $started -lt $written) {{\n{body}\n}}"


def _checks(role: UMRole) -> Iterator[str]:
    fqdn = role.server.fqdn
    mode = ""
    if role.mode:
        wrong = quote(f"{fqdn}: startup mode is not {role.mode}")
        mode = f"\nif (\"$($server.UMStartupMode)\" -ne '{role.mode}') {{ throw {wrong} }}"
    yield (
        f"$server = {role.read}\n"
        "$held = @($server.DialPlans | Where-Object { $_ } | ForEach-Object { $_.Name })\n"
        f"foreach ($plan in {role.names}) {{\n"
        f"    if ($held -notcontains $plan) {{ throw ({quote(fqdn + ': is not in UM dial plan ')} + $plan) }}\n}}{mode}"
    )
    if role.step == "um-service":
        yield (
            f'$languages = @(({role.read}).Languages | ForEach-Object {{ "$_" }})\n'
            f"foreach ($language in {array(dict.fromkeys(plan.language for plan in role.plans))}) {{\n"
            f"    if ($languages -notcontains $language) {{ throw ({quote(fqdn + ': no UM language pack ')} + $language) }}\n}}"
        )
    if role.secured:
        wrong = quote(f"{fqdn}: no certificate of a CA is enabled for {role.certificate}")
        yield (
            f"if (-not ({find(role.server)} | Where-Object {{ \"$($_.Services)\" -match '\\b{role.certificate}\\b' }})) {{ throw {wrong} }}"
        )
    late = quote(f"{fqdn}: {role.service} does not run, or has not been restarted since the last change")
    yield f"{_started(role)}\nif (-not $started -or $started -lt $written) {{ throw {late} }}"
    if role.mode is None and startup_mode({plan.voip_security for plan in role.plans}) is not StartupMode.TCP:
        none = quote(f"{fqdn}: no event 1112 since the UM service has started: it has chosen no certificate")
        yield (
            "$chosen = Get-EventLog -LogName Application -Source 'MSExchange Unified Messaging' -After $started.AddMinutes(-1) -ErrorAction SilentlyContinue | "
            "Where-Object { $_.EventID -eq 1112 } | Select-Object -First 1\n"
            f"if (-not $chosen) {{ throw {none} }}\n"
            "Write-Host $chosen.Message"
        )


def _notes(role: UMRole) -> Iterator[Text]:
    yield Text(
        "A newly installed UM server answers no call until it is in a UM dial plan.",
        "Un serveur de messagerie unifiée qui vient d'être installé ne répond à aucun appel tant qu'il n'est pas ajouté à un plan de numérotation.",
    )
    yield Text("The restart ends the calls of this service.", "Le redémarrage du service met fin aux appels en cours.")
    if role.mode is None:
        yield Text(
            "Exchange 2007 has no startup mode: the service follows the VoIP security of its dial plans, which must be of one kind.",
            "Exchange 2007 n'a pas de mode de démarrage : le service suit la sécurité VoIP de ses plans de numérotation, qui ne doivent pas être mélangés.",
        )
    elif role.secured:
        yield Text(
            f"The certificate is enabled for {role.certificate} only: IIS and SMTP keep theirs. A service cannot be removed from a certificate, only assigned to another one.",
            f"Le certificat n'est activé que pour {role.certificate} : IIS et SMTP conservent le leur. Un service activé ne peut être retiré d'un certificat, seulement attribué à un autre.",
        )
    if role.mode is StartupMode.TLS and generation(role.server) >= Generation.E2013:
        yield Text(
            "Microsoft's guides for Exchange 2013 with Lync set Dual. TLS works too if no dial plan is Unsecured, and it opens no unencrypted port; "
            "set Dual by hand if something else needs port 5060 or 5062 of this server.",
            "Les guides de Microsoft pour Exchange 2013 avec Lync indiquent Dual. TLS convient également lorsqu'aucun plan de numérotation n'est non sécurisé, et n'ouvre "
            "aucun port non chiffré ; définissez Dual manuellement si le port 5060 ou 5062 de ce serveur est nécessaire.",
        )


def _kept(role: UMRole) -> str:
    fields = "@{ Name = 'Plans'; Expression = { @($_.DialPlans | Where-Object { $_ } | ForEach-Object { $_.Name }) } }"
    mode = ", @{ Name = 'Mode'; Expression = { \"$($_.UMStartupMode)\" } }" if role.mode else ""
    return f"{role.read} | Select-Object -Property @({fields}{mode})"


def _undo(at: ExchangeForest, role: UMRole, name: str) -> str:
    mode = " -UMStartupMode $was.Mode" if role.mode else ""
    restart = f"Get-Service -ComputerName {quote(role.server.fqdn)} -Name {role.service} | Restart-Service -Force"
    return (
        f"$was = {at.kept(5, name, role.step)}[0]\n"
        "$plans = @($was.Plans | Where-Object { $_ })\nif ($plans.Count -eq 0) { $plans = $null }\n"
        f"{role.write} -DialPlans $plans{mode} {WHATIF}\n"
        + unless_whatif(f"Restart-Service {role.service} on {role.server.fqdn}", restart)
    )
