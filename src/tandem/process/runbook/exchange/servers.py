"""Phases 1, 2 and 5 for servers of kind exchange: Setup, certificates, dial plans and startup mode, right for each version."""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.topology import startup_mode
from tandem.org.versions import Generation, generation, roles_of
from tandem.org.vocabulary import PoolKind, ServerRole, StartupMode, UriType
from tandem.process.roles import CERTIFICATES, call_router, um_service
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.model import UNKNOWN, RunbookStep, Text
from tandem.process.runbook.powershell import array, quote, unless_whatif

_SETUP = {
    Generation.E2007: "Setup.com /mode:Install /roles:UnifiedMessaging,HubTransport,ClientAccess,Mailbox",
    Generation.E2010: "Setup.com /mode:Install /roles:UnifiedMessaging,HubTransport,ClientAccess,Mailbox",
    Generation.E2010_SP1: "Setup.com /mode:Install /roles:UnifiedMessaging,HubTransport,ClientAccess,Mailbox",
    Generation.E2013: "Setup.exe /mode:Install /roles:ClientAccess,Mailbox /IAcceptExchangeServerLicenseTerms",
    Generation.E2016: "Setup.exe /mode:Install /roles:Mailbox /IAcceptExchangeServerLicenseTerms",
}


def servers(at: ExchangeForest) -> Iterator[RunbookStep]:
    """The first needs Enterprise Admins, the others the organization's administrators."""
    for name, first, servers in (("first-server", True, at.servers[:1]), ("servers", False, at.servers[1:])):
        if servers:
            yield at.step(
                1, name, at.roles.servers(first=first, organization=at.org.messaging_organization_of(at.forest)),
                Text("Deploy the first Exchange server", "Déployer le premier serveur Exchange") if first
                else Text("Deploy the other Exchange servers", "Déployer les autres serveurs Exchange"),
                where=Text("each server", "chaque serveur"),
                checks=tuple(_server_check(at, server) for server in servers) + _trust_check(at),
                notes=tuple(_setup(at, server) for server in servers) + _version_notes(at),
            )  # fmt: skip


def _server_check(at: ExchangeForest, server: m.DeclaredMessagingServer) -> str:
    roles: dict[str, str] = {ServerRole.UM: "UnifiedMessaging"}
    wanted = [roles.get(role, role) for role in roles_of(server)]
    name = quote(server.fqdn)
    return (
        f"$server = Get-ExchangeServer -Identity {name}\n"
        f"foreach ($role in {array(wanted)}) {{\n"
        f"    if (\"$($server.ServerRole)\" -notmatch $role) {{ throw ({name} + ' has no role ' + $role) }}\n"
        "}"
    )


def _trust_check(at: ExchangeForest) -> tuple[str, ...]:
    """Where the voice side is in another forest, this one has to trust it."""
    if at.org.voice_forest == at.forest:
        return ()
    voice = quote(at.org.voice_forest)
    return (
        "$trusts = [System.DirectoryServices.ActiveDirectory.Forest]::GetCurrentForest().GetAllTrustRelationships()\n"
        f"if (-not ($trusts | Where-Object {{ $_.TargetName -eq {voice} -and $_.TrustDirection -ne 'Inbound' }})) "
        f"{{ throw ('no trust of ' + {voice}) }}",
    )


def _setup(at: ExchangeForest, server: m.DeclaredMessagingServer) -> Text:
    command = _SETUP[generation(server)]
    return Text(f"On {server.fqdn}: {command}", f"Sur {server.fqdn} : {command}")


def _version_notes(at: ExchangeForest) -> tuple[Text, ...]:
    notes = []
    if any(s.version == "2007" and s.service_pack < 3 for s in at.servers):
        notes.append(Text("Exchange 2007: install Service Pack 3.", "Exchange 2007 : installez le Service Pack 3."))
    if Generation.E2016 in at.versions:
        notes.append(
            Text(
                "The topic does not cover Exchange 2016; these are 2013's steps, with one role that holds both.",
                "Exchange 2016 n'est pas traité par la rubrique ; ces étapes sont celles de 2013, avec un seul rôle.",
            )
        )
    if at.org.pools_of(PoolKind.TANDEM):
        notes.append(UNKNOWN)
    return tuple(notes)


def certificates(at: ExchangeForest) -> RunbookStep:
    """Phase 2: requests, imports and checks of certificates."""
    old = at.newest is Generation.E2007
    commands = tuple(_certificate(at, server, old=old) for server in at.servers)
    notes = [
        Text(
            "Import the CA's root into Trusted Root Certification Authorities (local computer), on both sides.",
            "Importez la racine de l'autorité dans les autorités de certification racines de confiance, des deux côtés.",
        ),
        Text(
            "Subject = the server's FQDN, no wildcard, never self-signed; several servers in one certificate: all in the SAN.",
            "Sujet = nom de domaine complet du serveur, sans caractère générique ni certificat auto-signé.",
        ),
    ]
    if Generation.E2007 in at.versions:
        notes.append(
            Text(
                "Exchange 2007: restart the UM service; event 1112 names the certificate that it has chosen.",
                "Exchange 2007 : redémarrez le service de messagerie unifiée ; l'événement 1112 indique le certificat choisi.",
            )
        )
    return at.step(
        2, "certificates", CERTIFICATES,
        Text("Install the certificates of the UM servers", "Installer les certificats des serveurs de messagerie unifiée"),
        where=Text("each server, as its local administrator", "chaque serveur, comme administrateur local"),
        commands=commands, checks=tuple(_certificate_check(at, s, old=old) for s in at.servers), notes=tuple(notes),
    )  # fmt: skip


def _find(server: m.DeclaredMessagingServer, *, old: bool) -> str:
    on = "" if old else f" -Server {quote(server.fqdn)}"
    subject = quote(f"CN={server.fqdn}")
    return (
        f"Get-ExchangeCertificate{on} | Where-Object {{ "
        f"($_.Subject -split ', ') -contains {subject} -and -not $_.IsSelfSigned -and $_.NotAfter -gt (Get-Date) }}"
    )


def _certificate(at: ExchangeForest, server: m.DeclaredMessagingServer, *, old: bool) -> str:
    """A request if there is no answer of the CA yet, its import if there is, nothing if the certificate is there."""
    name, request, answer = (quote(text) for text in (server.fqdn, f"{server.fqdn}.req", f"{server.fqdn}.cer"))
    authority = quote(at.org.certificate_authority) if at.org.certificate_authority else "$CertificateAuthority"
    subject, on = quote(f"CN={server.fqdn}"), f" -Server {name}"
    if old:
        new = f"    New-ExchangeCertificate -GenerateRequest -SubjectName {subject} -DomainName {name} -Path {request} {WHATIF}"
        read = f"    Import-ExchangeCertificate -Path {answer} {WHATIF}"
    else:
        new = (
            f"    $text = New-ExchangeCertificate -GenerateRequest{on} -SubjectName {subject} -DomainName {name} {WHATIF}\n"
            f"    Set-Content -Path {request} -Value $text {WHATIF}"
        )
        read = (
            f"    Import-ExchangeCertificate{on} -FileData ([IO.File]::ReadAllBytes((Resolve-Path {answer}))) {WHATIF}"
        )
    certreq = f"certreq.exe -submit -config {authority} -attrib 'CertificateTemplate:WebServer' {request} {answer}"
    submit = "\n".join(f"    {line}" for line in unless_whatif(f"certreq for {server.fqdn}", certreq).split("\n"))
    return (
        f"if ({_find(server, old=old)}) {{\n    Write-Verbose 'present'\n}} elseif (Test-Path {answer}) {{\n{read}\n}} else {{\n"
        f"{new}\n{submit}\n}}"
    )


def _certificate_check(at: ExchangeForest, server: m.DeclaredMessagingServer, *, old: bool) -> str:
    missing = quote(
        f"{server.fqdn}: no certificate of a CA with this subject; after the CA's answer run the step again"
    )
    return f"if (-not ({_find(server, old=old)})) {{ throw {missing} }}"


def dial_plan_servers(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Startup mode, then the certificate, then the restart; from 2013 on the service and the call router."""
    for server in at.servers:
        plans = [p for p in at.plans if server.dial_plans is None or p.name in server.dial_plans]
        if not plans:
            continue
        mode = startup_mode({p.voip_security for p in plans})
        modern = generation(server) >= Generation.E2013
        roles = roles_of(server)
        if not modern or ServerRole.MAILBOX in roles:
            yield _server_step(at, server, "um-service", plans, mode, router=False)
        if modern and (ServerRole.CLIENT_ACCESS in roles or generation(server) is Generation.E2016):
            yield _server_step(at, server, "call-router", plans, mode, router=True)


def _server_step(
    at: ExchangeForest,
    server: m.DeclaredMessagingServer,
    name: str,
    plans: list[m.DeclaredUMDialPlan],
    mode: str,
    *,
    router: bool,
) -> RunbookStep:
    fqdn, modern = quote(server.fqdn), generation(server) >= Generation.E2013
    # From 2013 on a server cannot be put into a TelExtn or E.164 dial plan, and answers for it all the same.
    names = array(p.name for p in plans if not modern or p.uri_type is UriType.SIP_NAME)
    if not modern:
        read, write = f"Get-UMServer -Identity {fqdn}", f"Set-UMServer -Identity {fqdn}"
        service, switch = "MSExchangeUM", "UM"
    elif router:
        read, write = f"Get-UMCallRouterSettings -Server {fqdn}", f"Set-UMCallRouterSettings -Server {fqdn}"
        service, switch = "MSExchangeUMCR", "IIS,UMCallRouter"
    else:
        read, write = f"Get-UMService -Identity {fqdn}", f"Set-UMService -Identity {fqdn}"
        service, switch = "MSExchangeUM", "SMTP,IIS,UM"
    commands = [
        f"$server = {read}\n$changed = $false\n$held = @($server.DialPlans | ForEach-Object {{ $_.Name }})\n"
        f"$missing = @({names} | Where-Object {{ $held -notcontains $_ }})\n"
        f"if ($missing.Count -gt 0 -or $server.UMStartupMode -ne '{mode}') {{\n"
        f"    {write} -DialPlans ($held + $missing) -UMStartupMode {mode} {WHATIF}\n    $changed = $true\n}}"
    ]
    if mode is not StartupMode.TCP and generation(server) is not Generation.E2007:
        find, word = _find(server, old=False), switch.split(",")[-1]
        missing = quote(f"{server.fqdn}: no certificate; see phase 2")
        commands.append(
            f"$certificate = {find} | Sort-Object NotAfter -Descending | Select-Object -First 1\n"
            f"if (-not $certificate) {{\n    if (-not $WhatIfPreference) {{ throw {missing} }}\n"
            f"}} elseif (\"$($certificate.Services)\" -notmatch '\\b{word}\\b') {{\n"
            f"    Enable-ExchangeCertificate -Server {fqdn} -Thumbprint $certificate.Thumbprint -Services {array(switch.split(','))} {WHATIF}\n"
            "    $changed = $true\n}"
        )
    restart = f"Get-Service -ComputerName {fqdn} -Name {service} | Restart-Service -Force"
    guarded = unless_whatif(f"Restart-Service {service} on {server.fqdn}", restart)
    commands.append("if ($changed) {\n" + "\n".join(f"    {line}" for line in guarded.split("\n")) + "\n}")
    check = (
        f"if (({read}).UMStartupMode -ne '{mode}') {{ throw {quote(f'{server.fqdn}: startup mode is not {mode}')} }}"
    )
    what = (
        Text("UM Call Router", "routeur d'appels de messagerie unifiée")
        if router
        else Text("UM service", "service de messagerie unifiée")
    )
    return at.step(
        5, f"{name}-{server.fqdn}", call_router() if router else um_service(server),
        Text(
            f"Add {server.fqdn} ({what.en}) to the dial plans", f"Ajouter {server.fqdn} ({what.fr}) aux plans de numérotation"
        ),
        commands=tuple(commands), checks=(check, f"{read} | Format-List -Property @('DialPlans', 'UMStartupMode')"),
    )  # fmt: skip
