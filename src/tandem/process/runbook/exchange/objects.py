"""Phases 3, 4 and 7 for servers of kind exchange: dial plans, policies, attendants, gateways, security, exchucutil.

Dial plans are made as New-UMDialPlan makes them and secured in phase 4. exchucutil.ps1 turns outgoing calls on for every
pool at each run; the step puts back what an administrator had set before.
"""

from collections import Counter

from tandem.org import model as m
from tandem.org.checks import mailbox_policies
from tandem.org.versions import Generation
from tandem.org.vocabulary import PhoneEdition, PoolKind, UMStatus, VoIPSecurity
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.gateways import WHATIF, container_rights, gateway, hunt_group, outcalls
from tandem.process.runbook.model import UNKNOWN, RunbookStep, Text
from tandem.process.runbook.powershell import array, flag, quote, unless_whatif
from tandem.process.tools import exchucutil as tool

_FOLDERS = {Generation.E2007: "", Generation.E2010: "V14\\", Generation.E2010_SP1: "V14\\"}


def dial_plans(at: ExchangeForest) -> RunbookStep:
    """Phase 3: the UM SIP URI dial plans."""
    return at.step(
        3, "dial-plans", at.roles.organization(),
        Text("Create the UM SIP URI dial plans", "Créer les plans de numérotation à URI SIP"),
        commands=tuple(_dial_plan(at, plan) for plan in at.plans),
        checks=tuple(
            f"if ((Get-UMDialPlan -Identity {quote(p.name)}).URIType -ne {quote(p.uri_type)}) "
            f"{{ throw {quote(f'{p.name}: wrong URI type; it cannot be changed, remove the dial plan and make it again')} }}"
            for p in at.plans
        ),
        notes=(Text("No dots or spaces in names.", "Ni point ni espace dans les noms."),),
    )  # fmt: skip


def _dial_plan(at: ExchangeForest, plan: m.DeclaredUMDialPlan) -> str:
    name = quote(plan.name)
    operator = f" -OperatorExtension {quote(plan.operator_extension)}" if plan.operator_extension else ""
    country = "" if at.newest is Generation.E2007 else f" -CountryOrRegionCode {quote(plan.country_code)}"
    return (
        f"if (-not (Get-UMDialPlan | Where-Object {{ $_.Name -eq {name} }})) {{\n"
        f"    New-UMDialPlan -Name {name} -URIType {plan.uri_type} -NumberOfDigitsInExtension {plan.extension_digits}{country} {WHATIF}\n"
        f"}}\nif (Get-UMDialPlan | Where-Object {{ $_.Name -eq {name} }}) {{\n"
        f"    Set-UMDialPlan -Identity {name} -AccessTelephoneNumbers {array(plan.access_numbers)} -DefaultLanguage {quote(plan.language)} "
        f"-MaxCallDuration {plan.max_call_duration_min} -MaxRecordingDuration {plan.max_recording_duration_min} "
        f"-RecordingIdleTimeout {plan.recording_idle_timeout_s}{operator} {WHATIF}\n}}"
    )


def policies(at: ExchangeForest) -> RunbookStep:
    """Phase 3: the UM mailbox policies."""
    policies = [p for p in mailbox_policies(at.org).values() if p.um_dial_plan in at.names]
    own = {p.name for p in at.org.um_mailbox_policies}
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
    return at.step(
        3, "mailbox-policies", at.roles.organization(),
        Text("UM mailbox policies", "Stratégies de boîte aux lettres de messagerie unifiée"), commands=tuple(commands),
        checks=tuple(f"Get-UMMailboxPolicy -Identity {quote(p.name)} | Format-List -Property @('Name', 'UMDialPlan')" for p in policies),
    )  # fmt: skip


def attendants(at: ExchangeForest) -> RunbookStep:
    """Phase 3: the UM auto attendants."""
    mine = [a for a in at.org.um_auto_attendants if a.um_dial_plan in at.names]
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
                f"if (Get-UMAutoAttendant | Where-Object {{ $_.Name -eq {name} -and $_.Status -ne {quote(UMStatus.ENABLED)} }}) {{\n"
                f"    Enable-UMAutoAttendant -Identity {name} {WHATIF}\n}}"
            )
    checks = tuple(
        f"if ((Get-UMAutoAttendant -Identity {quote(a.name)}).Status -ne {quote(UMStatus.ENABLED if a.enabled else UMStatus.DISABLED)}) "
        f"{{ throw {quote(f'{a.name}: wrong status')} }}"
        for a in mine
    )
    title = Text("UM auto attendants", "Standards automatiques de messagerie unifiée")
    return at.step(3, "auto-attendants", at.roles.organization(), title, commands=tuple(commands), checks=checks)


def plain_gateways(at: ExchangeForest) -> RunbookStep:
    """Phase 3: plain UM IP gateways and their hunt groups."""
    mine = [g for g in at.org.um_ip_gateways if g.um_dial_plan in at.names]
    commands = tuple(
        gateway(g.name, g.address)
        + "\n"
        + f"if (Get-UMIPGateway | Where-Object {{ $_.Name -eq {quote(g.name)} }}) {{\n"
        f"    Set-UMIPGateway -Identity {quote(g.name)} -Port {g.port} -OutcallsAllowed $false {WHATIF}\n}}\n"
        + hunt_group(g.name, g.um_dial_plan, g.pilot_identifier)
        for g in mine
    )
    return at.step(
        3, "plain-gateways", at.roles.organization(),
        Text("Plain UM IP gateways and their hunt groups", "Passerelles IP simples et leurs groupements de postes"),
        commands=commands, checks=tuple(f"if (-not (Get-UMHuntGroup | Where-Object {{ $_.UMIPGateway.Name -eq {quote(g.name)} }})) {{ throw {quote(g.name)} }}" for g in mine),
    )  # fmt: skip


def security(at: ExchangeForest) -> RunbookStep:
    """Phase 4: the dial plans' VoIP security."""
    commands = tuple(
        f"if (Get-UMDialPlan | Where-Object {{ $_.Name -eq {quote(p.name)} -and $_.VoIPSecurity -ne {quote(p.voip_security)} }}) {{\n"
        f"    Set-UMDialPlan -Identity {quote(p.name)} -VoIPSecurity {p.voip_security} {WHATIF}\n}}"
        for p in at.plans
    )
    checks = tuple(
        f"if ((Get-UMDialPlan -Identity {quote(p.name)}).VoIPSecurity -ne {quote(p.voip_security)}) "
        f"{{ throw {quote(f'{p.name}: VoIP security is not {p.voip_security}')} }}"
        for p in at.plans
    )
    notes = [
        Text(
            "It has to agree with the pools' media encryption (Get-CsMediaConfiguration), or every call to UM fails.",
            "Elle doit concorder avec le chiffrement des pools (Get-CsMediaConfiguration), sinon tout appel échoue.",
        )
    ]
    if at.org.phone_edition is not PhoneEdition.NONE:
        notes.append(
            Text(
                "Lync Phone Edition devices insist on SRTP: use Secured.",
                "Les appareils Lync Phone Edition exigent SRTP : utilisez Secured.",
            )
        )
    title = Text("Set the dial plans' VoIP security", "Définir la sécurité VoIP des plans de numérotation")
    return at.step(4, "security", at.roles.organization(), title, commands=commands, checks=checks, notes=tuple(notes))


def run_exchucutil(at: ExchangeForest) -> RunbookStep:
    """Phase 7: exchucutil, with what it overwrites put back."""
    org, secured = at.org, [p.name for p in at.plans if p.voip_security is not VoIPSecurity.UNSECURED]
    users = Counter(user.pool for user in org.users if user.line_uri)
    pools = [tool.Pool(fqdn=p.fqdn, pool_type=p.pool_type, users=users[p.fqdn]) for p in org.voice_pools]
    caller = tool.outcall_pool(pools)
    folder = f"Microsoft\\Exchange Server\\{_FOLDERS.get(at.newest, 'V15' + chr(92))}Scripts"
    forest = "" if org.voice_forest == at.forest else f" -Forest:{quote(org.voice_forest)}"
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
    if at.newest is not Generation.E2007:
        notes.append(
            Text(
                "Organization Management alone is accepted; the topic asks for Recipient Management too.",
                "Organization Management seul est accepté ; la rubrique demande aussi Recipient Management.",
            )
        )
    if org.pools_of(PoolKind.TANDEM):
        notes.append(UNKNOWN)
    return at.step(
        7, "exchucutil", at.roles.exchucutil(),
        Text("Run exchucutil: permissions, gateways, hunt groups", "Exécuter exchucutil : autorisations, passerelles, groupements de postes"),
        commands=tuple(commands), checks=tuple(checks), notes=tuple(notes),
    )  # fmt: skip


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
