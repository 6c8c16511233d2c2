"""Runbook steps for servers of kind exchange: phases 1 to 7 and 11, right for the version, safe to run again.

Dial plans are made as New-UMDialPlan makes them and secured in phase 4. exchucutil.ps1 turns outgoing calls on for every
pool at each run; the step puts back what an administrator had set before. Parameters that a version does not know are
left out; where one forest has several versions, the steps are for its newest shell and say what the oldest needs.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tandem.org import model as m
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import phone_context
from tandem.org.versions import Generation, generation, generations, roles_of
from tandem.org.vocabulary import PhoneEdition, PoolKind, ServerKind, ServerRole, StartupMode, UriType, VoIPSecurity
from tandem.process.phases import PHASES, Side
from tandem.process.roles import CERTIFICATES, MessagingRoles, Requirement, call_router, um_service
from tandem.process.runbook.gateways import WHATIF, container_rights, gateway, hunt_group, outcalls
from tandem.process.runbook.model import RunbookStep, Text
from tandem.process.runbook.powershell import array, flag, quote, table, unless_whatif
from tandem.process.tasks.messaging import startup_mode
from tandem.process.tools import exchucutil

_LINKS = {
    1: (268694, 268695, 266569),
    3: (268632, 268674, 266579),
    4: (268696, 268697, 266579),
    5: (268681, 268682, 266579),
    6: (268698, 268699, 266579),
    11: (268700, 268701, 266579),
}
"""The topic's own pages (LinkId) for 2007, 2010, and 2013."""
_FOLDERS = {Generation.E2007: "", Generation.E2010: "V14\\", Generation.E2010_SP1: "V14\\"}
_SETUP = {
    Generation.E2007: "Setup.com /mode:Install /roles:UnifiedMessaging,HubTransport,ClientAccess,Mailbox",
    Generation.E2010: "Setup.com /mode:Install /roles:UnifiedMessaging,HubTransport,ClientAccess,Mailbox",
    Generation.E2010_SP1: "Setup.com /mode:Install /roles:UnifiedMessaging,HubTransport,ClientAccess,Mailbox",
    Generation.E2013: "Setup.exe /mode:Install /roles:ClientAccess,Mailbox /IAcceptExchangeServerLicenseTerms",
    Generation.E2016: "Setup.exe /mode:Install /roles:Mailbox /IAcceptExchangeServerLicenseTerms",
}
_SHELL = Text(
    "Exchange Management Shell, on a server that runs UM",
    "Exchange Management Shell, sur un serveur de messagerie unifiée",
)


class ExchangeForest:
    """One messaging forest with Exchange servers, and the steps for it."""

    def __init__(self, org: m.Organization, forest: str) -> None:
        self._org = org
        self.forest = forest
        self.servers = org.servers_in(forest, ServerKind.EXCHANGE)
        self._versions = generations(self.servers)
        self._newest = self._versions[-1]
        self._roles = MessagingRoles.of(self.servers)
        self._plans = tuple(p for p in org.um_dial_plans if p.forest == forest)

    def steps(self) -> Iterator[RunbookStep]:
        """Every step, in the order of the phases."""
        yield from self._servers()
        yield self._certificates()
        yield self._dial_plans()
        yield self._policies()
        if any(a.um_dial_plan in self._names for a in self._org.um_auto_attendants):
            yield self._attendants()
        if any(g.um_dial_plan in self._names for g in self._org.um_ip_gateways):
            yield self._plain_gateways()
        yield self._security()
        yield from self._dial_plan_servers()
        yield self._eum_addresses()
        yield self._exchucutil()
        yield self._um_users()

    @property
    def _names(self) -> set[str]:
        return {plan.name for plan in self._plans}

    def _step(self, number: int, name: str, required: Requirement, title: Text, **more: Any) -> RunbookStep:
        many = len(self._org.messaging_forests) > 1
        eldest = {Generation.E2007: 0, Generation.E2010: 1, Generation.E2010_SP1: 1}
        places = sorted({eldest.get(version, 2) for version in self._versions})
        links = tuple(
            f"https://go.microsoft.com/fwlink/?LinkId={_LINKS[number][p]}" for p in places if number in _LINKS
        )
        more.setdefault("where", _SHELL)
        return RunbookStep(
            id=f"{number}/exchange-{name}" + (f"@{self.forest}" if many else ""),
            phase=PHASES[number],
            side=Side.MESSAGING,
            required=required,
            forest=self.forest,
            title=title,
            links=links,
            **more,
        )

    def _servers(self) -> Iterator[RunbookStep]:
        """The first needs Enterprise Admins, the others the organization's administrators."""
        for name, first, servers in (("first-server", True, self.servers[:1]), ("servers", False, self.servers[1:])):
            if servers:
                yield self._step(
                    1, name, self._roles.servers(first=first),
                    Text("Deploy the first Exchange server", "Déployer le premier serveur Exchange") if first
                    else Text("Deploy the other Exchange servers", "Déployer les autres serveurs Exchange"),
                    where=Text("each server", "chaque serveur"),
                    checks=tuple(self._server_check(server) for server in servers) + self._trust_check(),
                    notes=tuple(self._setup(server) for server in servers) + self._version_notes(),
                )  # fmt: skip

    def _server_check(self, server: m.DeclaredMessagingServer) -> str:
        roles: dict[str, str] = {ServerRole.UM: "UnifiedMessaging"}
        wanted = [roles.get(role, role) for role in roles_of(server)]
        name = quote(server.fqdn)
        return (
            f"$server = Get-ExchangeServer -Identity {name}\n"
            f"foreach ($role in {array(wanted)}) {{\n"
            f"    if (\"$($server.ServerRole)\" -notmatch $role) {{ throw ({name} + ' has no role ' + $role) }}\n"
            "}"
        )

    def _trust_check(self) -> tuple[str, ...]:
        """Where the voice side is in another forest, this one has to trust it."""
        if self._org.voice_forest == self.forest:
            return ()
        voice = quote(self._org.voice_forest)
        return (
            "$trusts = [System.DirectoryServices.ActiveDirectory.Forest]::GetCurrentForest().GetAllTrustRelationships()\n"
            f"if (-not ($trusts | Where-Object {{ $_.TargetName -eq {voice} -and $_.TrustDirection -ne 'Inbound' }})) "
            f"{{ throw ('no trust of ' + {voice}) }}",
        )

    def _setup(self, server: m.DeclaredMessagingServer) -> Text:
        command = _SETUP[generation(server)]
        return Text(f"On {server.fqdn}: {command}", f"Sur {server.fqdn} : {command}")

    def _version_notes(self) -> tuple[Text, ...]:
        notes = []
        if any(s.version == "2007" and s.service_pack < 3 for s in self.servers):
            notes.append(Text("Exchange 2007: install Service Pack 3.", "Exchange 2007 : installez le Service Pack 3."))
        if Generation.E2016 in self._versions:
            notes.append(
                Text(
                    "The topic does not cover Exchange 2016; these are 2013's steps, with one role that holds both.",
                    "Exchange 2016 n'est pas traité par la rubrique ; ces étapes sont celles de 2013, avec un seul rôle.",
                )
            )
        if self._org.pools_of(PoolKind.TANDEM):
            notes.append(UNKNOWN)
        return tuple(notes)

    def _certificates(self) -> RunbookStep:
        old = self._newest is Generation.E2007
        commands = tuple(self._certificate(server, old=old) for server in self.servers)
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
        if Generation.E2007 in self._versions:
            notes.append(
                Text(
                    "Exchange 2007: restart the UM service; event 1112 names the certificate that it has chosen.",
                    "Exchange 2007 : redémarrez le service de messagerie unifiée ; l'événement 1112 indique le certificat choisi.",
                )
            )
        return self._step(
            2, "certificates", CERTIFICATES,
            Text("Install the certificates of the UM servers", "Installer les certificats des serveurs de messagerie unifiée"),
            where=Text("each server, as its local administrator", "chaque serveur, comme administrateur local"),
            commands=commands, checks=tuple(self._certificate_check(s, old=old) for s in self.servers), notes=tuple(notes),
        )  # fmt: skip

    def _find(self, server: m.DeclaredMessagingServer, *, old: bool) -> str:
        at = "" if old else f" -Server {quote(server.fqdn)}"
        subject = quote(f"CN={server.fqdn}")
        return (
            f"Get-ExchangeCertificate{at} | Where-Object {{ "
            f"($_.Subject -split ', ') -contains {subject} -and -not $_.IsSelfSigned -and $_.NotAfter -gt (Get-Date) }}"
        )

    def _certificate(self, server: m.DeclaredMessagingServer, *, old: bool) -> str:
        """A request if there is no answer of the CA yet, its import if there is, nothing if the certificate is there."""
        name, request, answer = (quote(text) for text in (server.fqdn, f"{server.fqdn}.req", f"{server.fqdn}.cer"))
        authority = (
            quote(self._org.certificate_authority) if self._org.certificate_authority else "$CertificateAuthority"
        )
        subject, at = quote(f"CN={server.fqdn}"), f" -Server {name}"
        if old:
            new = f"    New-ExchangeCertificate -GenerateRequest -SubjectName {subject} -DomainName {name} -Path {request} {WHATIF}"
            read = f"    Import-ExchangeCertificate -Path {answer} {WHATIF}"
        else:
            new = (
                f"    $text = New-ExchangeCertificate -GenerateRequest{at} -SubjectName {subject} -DomainName {name} {WHATIF}\n"
                f"    Set-Content -Path {request} -Value $text {WHATIF}"
            )
            read = f"    Import-ExchangeCertificate{at} -FileData ([IO.File]::ReadAllBytes((Resolve-Path {answer}))) {WHATIF}"
        certreq = f"certreq.exe -submit -config {authority} -attrib 'CertificateTemplate:WebServer' {request} {answer}"
        submit = "\n".join(f"    {line}" for line in unless_whatif(f"certreq for {server.fqdn}", certreq).split("\n"))
        return (
            f"if ({self._find(server, old=old)}) {{\n    Write-Verbose 'present'\n}} elseif (Test-Path {answer}) {{\n{read}\n}} else {{\n"
            f"{new}\n{submit}\n}}"
        )

    def _certificate_check(self, server: m.DeclaredMessagingServer, *, old: bool) -> str:
        missing = quote(
            f"{server.fqdn}: no certificate of a CA with this subject; after the CA's answer run the step again"
        )
        return f"if (-not ({self._find(server, old=old)})) {{ throw {missing} }}"

    def _dial_plans(self) -> RunbookStep:
        return self._step(
            3, "dial-plans", self._roles.organization(),
            Text("Create the UM SIP URI dial plans", "Créer les plans de numérotation à URI SIP"),
            commands=tuple(self._dial_plan(plan) for plan in self._plans),
            checks=tuple(
                f"if ((Get-UMDialPlan -Identity {quote(p.name)}).URIType -ne {quote(p.uri_type)}) "
                f"{{ throw {quote(f'{p.name}: wrong URI type; it cannot be changed, remove the dial plan and make it again')} }}"
                for p in self._plans
            ),
            notes=(Text("No dots or spaces in names.", "Ni point ni espace dans les noms."),),
        )  # fmt: skip

    def _dial_plan(self, plan: m.DeclaredUMDialPlan) -> str:
        name = quote(plan.name)
        operator = f" -OperatorExtension {quote(plan.operator_extension)}" if plan.operator_extension else ""
        country = "" if self._newest is Generation.E2007 else f" -CountryOrRegionCode {quote(plan.country_code)}"
        return (
            f"if (-not (Get-UMDialPlan | Where-Object {{ $_.Name -eq {name} }})) {{\n"
            f"    New-UMDialPlan -Name {name} -URIType {plan.uri_type} -NumberOfDigitsInExtension {plan.extension_digits}{country} {WHATIF}\n"
            f"}}\nif (Get-UMDialPlan | Where-Object {{ $_.Name -eq {name} }}) {{\n"
            f"    Set-UMDialPlan -Identity {name} -AccessTelephoneNumbers {array(plan.access_numbers)} -DefaultLanguage {quote(plan.language)} "
            f"-MaxCallDuration {plan.max_call_duration_min} -MaxRecordingDuration {plan.max_recording_duration_min} "
            f"-RecordingIdleTimeout {plan.recording_idle_timeout_s}{operator} {WHATIF}\n}}"
        )

    def _policies(self) -> RunbookStep:
        policies = [p for p in mailbox_policies(self._org).values() if p.um_dial_plan in self._names]
        own = {p.name for p in self._org.um_mailbox_policies}
        commands = []
        for policy in policies:
            name = quote(policy.name)
            if policy.name in own:
                commands.append(
                    f"if (-not (Get-UMMailboxPolicy | Where-Object {{ $_.Name -eq {name} }})) {{\n"
                    f"    New-UMMailboxPolicy -Name {name} -UMDialPlan {quote(policy.um_dial_plan)} {WHATIF}\n}}\n"
                    f"if (Get-UMMailboxPolicy | Where-Object {{ $_.Name -eq {name} }}) {{\n"
                    f"    Set-UMMailboxPolicy -Identity {name} {_policy_settings(policy)} {WHATIF}\n}}"
                )
        return self._step(
            3, "mailbox-policies", self._roles.organization(),
            Text("UM mailbox policies", "Stratégies de boîte aux lettres de messagerie unifiée"), commands=tuple(commands),
            checks=tuple(f"Get-UMMailboxPolicy -Identity {quote(p.name)} | Format-List -Property @('Name', 'UMDialPlan')" for p in policies),
        )  # fmt: skip

    def _attendants(self) -> RunbookStep:
        mine = [a for a in self._org.um_auto_attendants if a.um_dial_plan in self._names]
        commands = []
        for each in mine:
            name = quote(each.name)
            commands.append(
                f"if (-not (Get-UMAutoAttendant | Where-Object {{ $_.Name -eq {name} }})) {{\n"
                f"    New-UMAutoAttendant -Name {name} -UMDialPlan {quote(each.um_dial_plan)} -PilotIdentifierList {array(each.pilot_identifiers)} "
                f"-SpeechEnabled {flag(each.speech_enabled)} {WHATIF}\n}}"
            )
            if each.enabled:
                commands.append(
                    f"if (Get-UMAutoAttendant | Where-Object {{ $_.Name -eq {name} -and $_.Status -ne 'Enabled' }}) {{\n"
                    f"    Enable-UMAutoAttendant -Identity {name} {WHATIF}\n}}"
                )
        checks = tuple(
            f"if ((Get-UMAutoAttendant -Identity {quote(a.name)}).Status -ne '{'Enabled' if a.enabled else 'Disabled'}') "
            f"{{ throw {quote(f'{a.name}: wrong status')} }}"
            for a in mine
        )
        title = Text("UM auto attendants", "Standards automatiques de messagerie unifiée")
        return self._step(
            3, "auto-attendants", self._roles.organization(), title, commands=tuple(commands), checks=checks
        )

    def _plain_gateways(self) -> RunbookStep:
        mine = [g for g in self._org.um_ip_gateways if g.um_dial_plan in self._names]
        commands = tuple(
            gateway(g.name, g.address)
            + "\n"
            + f"if (Get-UMIPGateway | Where-Object {{ $_.Name -eq {quote(g.name)} }}) {{\n"
            f"    Set-UMIPGateway -Identity {quote(g.name)} -Port {g.port} -OutcallsAllowed $false {WHATIF}\n}}\n"
            + hunt_group(g.name, g.um_dial_plan, g.pilot_identifier)
            for g in mine
        )
        return self._step(
            3, "plain-gateways", self._roles.organization(),
            Text("Plain UM IP gateways and their hunt groups", "Passerelles IP simples et leurs groupements de postes"),
            commands=commands, checks=tuple(f"if (-not (Get-UMHuntGroup | Where-Object {{ $_.UMIPGateway.Name -eq {quote(g.name)} }})) {{ throw {quote(g.name)} }}" for g in mine),
        )  # fmt: skip

    def _security(self) -> RunbookStep:
        commands = tuple(
            f"if (Get-UMDialPlan | Where-Object {{ $_.Name -eq {quote(p.name)} -and $_.VoIPSecurity -ne {quote(p.voip_security)} }}) {{\n"
            f"    Set-UMDialPlan -Identity {quote(p.name)} -VoIPSecurity {p.voip_security} {WHATIF}\n}}"
            for p in self._plans
        )
        checks = tuple(
            f"if ((Get-UMDialPlan -Identity {quote(p.name)}).VoIPSecurity -ne {quote(p.voip_security)}) "
            f"{{ throw {quote(f'{p.name}: VoIP security is not {p.voip_security}')} }}"
            for p in self._plans
        )
        notes = [
            Text(
                "It has to agree with the pools' media encryption (Get-CsMediaConfiguration), or every call to UM fails.",
                "Elle doit concorder avec le chiffrement des pools (Get-CsMediaConfiguration), sinon tout appel échoue.",
            )
        ]
        if self._org.phone_edition is not PhoneEdition.NONE:
            notes.append(
                Text(
                    "Lync Phone Edition devices insist on SRTP: use Secured.",
                    "Les appareils Lync Phone Edition exigent SRTP : utilisez Secured.",
                )
            )
        title = Text("Set the dial plans' VoIP security", "Définir la sécurité VoIP des plans de numérotation")
        return self._step(
            4, "security", self._roles.organization(), title, commands=commands, checks=checks, notes=tuple(notes)
        )

    def _dial_plan_servers(self) -> Iterator[RunbookStep]:
        """Startup mode, then the certificate, then the restart; from 2013 on the service and the call router."""
        for server in self.servers:
            plans = [p for p in self._plans if server.dial_plans is None or p.name in server.dial_plans]
            if not plans:
                continue
            mode = startup_mode({p.voip_security for p in plans})
            modern = generation(server) >= Generation.E2013
            roles = roles_of(server)
            if not modern or ServerRole.MAILBOX in roles:
                yield self._server_step(server, "um-service", plans, mode, router=False)
            if modern and (ServerRole.CLIENT_ACCESS in roles or generation(server) is Generation.E2016):
                yield self._server_step(server, "call-router", plans, mode, router=True)

    def _server_step(
        self,
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
            find, word = self._find(server, old=False), switch.split(",")[-1]
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
        check = f"if (({read}).UMStartupMode -ne '{mode}') {{ throw {quote(f'{server.fqdn}: startup mode is not {mode}')} }}"
        what = (
            Text("UM Call Router", "routeur d'appels de messagerie unifiée")
            if router
            else Text("UM service", "service de messagerie unifiée")
        )
        return self._step(
            5, f"{name}-{server.fqdn}", call_router() if router else um_service(server),
            Text(
                f"Add {server.fqdn} ({what.en}) to the dial plans", f"Ajouter {server.fqdn} ({what.fr}) aux plans de numérotation"
            ),
            commands=tuple(commands), checks=(check, f"{read} | Format-List -Property @('DialPlans', 'UMStartupMode')"),
        )  # fmt: skip

    def _users(self) -> list[tuple[m.DeclaredUser, m.DeclaredUMDialPlan]]:
        plans, policies = {p.name: p for p in self._plans}, mailbox_policies(self._org)
        found = (
            (u, plans.get(policies[u.um_mailbox_policy].um_dial_plan)) for u in self._org.users if u.um_mailbox_policy
        )
        return [(user, plan) for user, plan in found if plan]

    def _eum_addresses(self) -> RunbookStep:
        rows = [
            {
                "User": user.account,
                "Address": f"EUM:{user.sip_address};phone-context={phone_context(plan.name, plan.forest)}",
            }
            for user, plan in self._users()
            if user.sip_address
        ]
        add = (
            f"foreach ($row in {table(rows)}) {{\n    $mailbox = Get-Mailbox -Identity $row.User\n"
            '    if ($mailbox.UMEnabled -and -not ($mailbox.EmailAddresses | Where-Object { "$_" -eq $row.Address })) {\n'
            "        $addresses = $mailbox.EmailAddresses\n        $addresses += $row.Address\n"
            f"        Set-Mailbox -Identity $row.User -EmailAddresses $addresses {WHATIF}\n    }}\n}}"
        )
        check = (
            f"foreach ($row in {table(rows)}) {{\n    $mailbox = Get-Mailbox -Identity $row.User\n"
            '    if ($mailbox.UMEnabled -and -not ($mailbox.EmailAddresses | Where-Object { "$_" -eq $row.Address })) {\n'
            "        throw ($row.User + ' has no ' + $row.Address)\n    }\n}"
        )
        note = Text(
            "Enable-UMMailbox writes the address itself in phase 11; this step is for users who are enabled already.",
            "Enable-UMMailbox écrit l'adresse en phase 11 ; cette étape concerne les utilisateurs déjà activés.",
        )
        title = Text("SIP addresses of mailboxes", "Adresses SIP des boîtes aux lettres")
        return self._step(
            6, "eum-addresses", self._roles.eum_addresses(), title, commands=(add,), checks=(check,), notes=(note,)
        )

    def _exchucutil(self) -> RunbookStep:
        org, secured = self._org, [p.name for p in self._plans if p.voip_security is not VoIPSecurity.UNSECURED]
        users = Counter(user.pool for user in org.users if user.line_uri)
        pools = [exchucutil.Pool(fqdn=p.fqdn, pool_type=p.pool_type, users=users[p.fqdn]) for p in org.voice_pools]
        caller = exchucutil.outcall_pool(pools)
        folder = f"Microsoft\\Exchange Server\\{_FOLDERS.get(self._newest, 'V15' + chr(92))}Scripts"
        forest = "" if org.voice_forest == self.forest else f" -Forest:{quote(org.voice_forest)}"
        commands = [
            f"$pools = {array(p.fqdn for p in org.voice_pools)}\n$before = @{{}}\nforeach ($gateway in @(Get-UMIPGateway)) {{\n"
            '    $before[$gateway.Name] = [pscustomobject]@{ Address = "$($gateway.Address)"; Calls = $gateway.OutcallsAllowed }\n}'
        ]
        if org.pools_of(PoolKind.LYNC):
            script = f"& (Join-Path $env:ProgramFiles {quote(folder + chr(92) + 'exchucutil.ps1')}){forest}"
            commands.append(unless_whatif("run exchucutil.ps1", script))
        for pool in org.pools_of(PoolKind.TANDEM):
            commands.append("\n".join((gateway(pool.fqdn, pool.fqdn), *(hunt_group(pool.fqdn, n, n) for n in secured))))
        commands += [
            container_rights(org.voice_forest),
            outcalls(caller, bool(secured)),
        ]
        checks = [
            f'if (-not (Get-UMIPGateway | Where-Object {{ "$($_.Address)" -eq {quote(p.fqdn)} }})) {{ throw {quote(f"no gateway for {p.fqdn}")} }}'
            for p in org.voice_pools
        ]
        checks.append(
            f"$pools = {array(p.fqdn for p in org.voice_pools)}\n"
            '$calling = @(Get-UMIPGateway | Where-Object { $_.OutcallsAllowed -and $pools -contains "$($_.Address)" })\n'
            "if ($calling.Count -ne 1) { throw ('outgoing calls are allowed on ' + $calling.Count + ' gateways; leave exactly one') }"
        )
        notes = [
            Text(
                "Replicate Active Directory, then the voice side restarts the Front-End service.",
                "Répliquez Active Directory, puis l'équipe voix redémarre le service Front-End.",
            )
        ]
        if self._newest is not Generation.E2007:
            notes.append(
                Text(
                    "Organization Management alone is accepted; the topic asks for Recipient Management too.",
                    "Organization Management seul est accepté ; la rubrique demande aussi Recipient Management.",
                )
            )
        if org.pools_of(PoolKind.TANDEM):
            notes.append(UNKNOWN)
        return self._step(
            7, "exchucutil", self._roles.exchucutil(),
            Text("Run exchucutil: permissions, gateways, hunt groups", "Exécuter exchucutil : autorisations, passerelles, groupements de postes"),
            commands=tuple(commands), checks=tuple(checks), notes=tuple(notes),
        )  # fmt: skip

    def _um_users(self) -> RunbookStep:
        rows = [
            {"User": u.account, "Policy": u.um_mailbox_policy, "Extension": u.extension, "Sip": u.sip_address}
            for u, _ in self._users()
        ]
        enable = (
            f"foreach ($row in {table(rows)}) {{\n    if (-not (Get-Mailbox -Identity $row.User).UMEnabled) {{\n"
            "        $more = @{}\n        if ($row.Sip) { $more['SIPResourceIdentifier'] = $row.Sip }\n"
            f"        Enable-UMMailbox -Identity $row.User -UMMailboxPolicy $row.Policy -Extensions $row.Extension @more {WHATIF}\n    }}\n}}"
        )
        check = (
            f"foreach ($row in {table(rows)}) {{\n    if (-not (Get-UMMailbox -Identity $row.User).UMEnabled) "
            "{ throw ($row.User + ' is not enabled for UM') }\n}"
        )
        note = Text(
            "No PIN is given: Exchange makes one by the policy and mails it to the user.",
            "Aucun code PIN n'est fourni : Exchange en génère un selon la stratégie et l'envoie à l'utilisateur.",
        )
        title = Text("Enable the users for UM", "Activer les utilisateurs pour la messagerie unifiée")
        return self._step(
            11, "um-users", self._roles.um_users(), title, commands=(enable,), checks=(check,), notes=(note,)
        )


UNKNOWN = Text(
    "Not known: how Front End and UM servers address each other (Request-URI, otherIpPhone) is not public, so calls between "
    "Tandem and Microsoft servers are not proven; see docs/adr/0004.",
    "Inconnu : la façon dont serveurs Front End et serveurs de messagerie unifiée s'adressent (Request-URI, otherIpPhone) n'est "
    "pas publique ; les appels entre Tandem et Microsoft ne sont pas prouvés, voir docs/adr/0004.",
)


def _policy_settings(policy: m.DeclaredUMMailboxPolicy) -> str:
    """The parameters of Set-UMMailboxPolicy."""
    settings = (
        f"-MinPINLength {policy.min_pin_length} -PINLifetime {policy.pin_lifetime_days} "
        f"-PINHistoryCount {policy.pin_history_count} -MaxLogonAttempts {policy.max_logon_attempts} "
        f"-LogonFailuresBeforePINReset {policy.logon_failures_before_pin_reset} "
        f"-AllowMissedCallNotifications {flag(policy.allow_missed_call_notifications)} "
        f"-AllowMessageWaitingIndicator {flag(policy.allow_message_waiting_indicator)}"
    )
    texts = (("UMEnabledText", policy.um_enabled_text), ("VoiceMailText", policy.voice_mail_text))
    return settings + "".join(f" -{name} {quote(text)}" for name, text in texts if text)
