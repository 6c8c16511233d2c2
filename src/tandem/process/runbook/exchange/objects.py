"""Phase 3, beside the dial plans: mailbox policies, auto attendants, plain gateways. Each in its dial plan's shell.

What is there already is set to what is declared; what a cmdlet cannot change, such as the dial plan, the check tells.
"""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.checks import mailbox_policies
from tandem.org.vocabulary import UMStatus
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.gateways import WHATIF, gateway, hunt_group
from tandem.process.runbook.model import RunbookStep, Saved, Shell, Text
from tandem.process.runbook.powershell import array, flag, quote

_POLICY = (
    "MinPINLength",
    "PINLifetime",
    "PINHistoryCount",
    "MaxLogonAttempts",
    "LogonFailuresBeforePINReset",
    "AllowMissedCallNotifications",
    "UMEnabledText",
    "VoiceMailText",
)
"""What is set of a mailbox policy in every version."""
_WAITING = "AllowMessageWaitingIndicator"
"""From Exchange 2010 on."""


def policies(at: ExchangeForest) -> Iterator[RunbookStep]:
    """The UM mailbox policies: those declared, and the default one of each dial plan, which is only looked for."""
    mine = [policy for policy in mailbox_policies(at.org).values() if policy.um_dial_plan in at.names]
    own = {policy.name for policy in at.org.um_mailbox_policies}
    for name, shell, some in at.split("mailbox-policies", mine, lambda policy: at.shell_of(policy.um_dial_plan)):
        declared = [policy for policy in some if policy.name in own]
        yield at.step(
            3, name, at.roles.organization(),
            Text("UM mailbox policies", "Stratégies de boîte aux lettres de messagerie unifiée"), shell=shell,
            commands=tuple(_policy(policy, shell) for policy in declared),
            checks=tuple(_policy_check(policy, shell, own=policy.name in own) for policy in some),
            saves=(Saved("policies", _policies_kept(shell)),) if declared else (),
            undo=(_policies_undo(at, name, shell, declared),) if declared else (),
        )  # fmt: skip


def _policy(policy: m.DeclaredUMMailboxPolicy, shell: Shell) -> str:
    name = quote(policy.name)
    return (
        f"if (-not (Get-UMMailboxPolicy | Where-Object {{ $_.Name -eq {name} }})) {{\n"
        f"    New-UMMailboxPolicy -Name {name} -UMDialPlan {quote(policy.um_dial_plan)} {WHATIF}\n}}\n"
        f"if (Get-UMMailboxPolicy | Where-Object {{ $_.Name -eq {name} }}) {{\n"
        f"    Set-UMMailboxPolicy -Identity {name} {_policy_settings(policy, shell)} {WHATIF}\n}}"
    )


def _policy_settings(policy: m.DeclaredUMMailboxPolicy, shell: Shell) -> str:
    """The parameters of Set-UMMailboxPolicy."""
    settings = (
        f"-MinPINLength {policy.min_pin_length} -PINLifetime {policy.pin_lifetime_days} "
        f"-PINHistoryCount {policy.pin_history_count} -MaxLogonAttempts {policy.max_logon_attempts} "
        f"-LogonFailuresBeforePINReset {policy.logon_failures_before_pin_reset} "
        f"-AllowMissedCallNotifications {flag(policy.allow_missed_call_notifications)}"
    )
    if shell is not Shell.EXCHANGE_2007:
        settings += f" -{_WAITING} {flag(policy.allow_message_waiting_indicator)}"
    texts = (("UMEnabledText", policy.um_enabled_text), ("VoiceMailText", policy.voice_mail_text))
    return settings + "".join(f" -{name} {quote(text)}" for name, text in texts if text)


def _policy_check(policy: m.DeclaredUMMailboxPolicy, shell: Shell, *, own: bool) -> str:
    lines = [
        f"$policy = Get-UMMailboxPolicy -Identity {quote(policy.name)}",
        f"if ($policy.UMDialPlan.Name -ne {quote(policy.um_dial_plan)}) "
        f"{{ throw {quote(f'{policy.name}: not of UM dial plan {policy.um_dial_plan}; remove the policy and make it again')} }}",
    ]
    wanted: dict[str, str] = {}
    if own:
        wanted = {
            "MinPINLength": quote(str(policy.min_pin_length)),
            "PINHistoryCount": quote(str(policy.pin_history_count)),
            "LogonFailuresBeforePINReset": quote(str(policy.logon_failures_before_pin_reset)),
            "MaxLogonAttempts": quote(str(policy.max_logon_attempts)),
            "AllowMissedCallNotifications": quote(str(policy.allow_missed_call_notifications)),
        }
        if shell is not Shell.EXCHANGE_2007:
            wanted[_WAITING] = quote(str(policy.allow_message_waiting_indicator))
    lines += [
        f'if ("$($policy.{field})" -ne {value}) {{ throw {quote(f"{policy.name}: {field} differs")} }}'
        for field, value in wanted.items()
    ]
    return "\n".join(lines)


def _policies_kept(shell: Shell) -> str:
    fields = _POLICY if shell is Shell.EXCHANGE_2007 else (*_POLICY, _WAITING)
    return (
        "Get-UMMailboxPolicy | Select-Object -Property @('Name', "
        + ", ".join(f"@{{ Name = '{name}'; Expression = {{ $_.{name} }} }}" for name in fields)
        + ")"
    )


def _policies_undo(at: ExchangeForest, name: str, shell: Shell, declared: list[m.DeclaredUMMailboxPolicy]) -> str:
    fields = _POLICY if shell is Shell.EXCHANGE_2007 else (*_POLICY, _WAITING)
    back = " ".join(f"-{field} $was[0].{field}" for field in fields)
    return (
        f"$kept = {at.kept(3, name, 'policies')}\n"
        f"foreach ($name in {array(policy.name for policy in declared)}) {{\n"
        "    $was = @($kept | Where-Object { $_.Name -eq $name })\n"
        "    if ($was.Count -gt 0) {\n"
        f"        Set-UMMailboxPolicy -Identity $name {back} {WHATIF}\n"
        "    } elseif (Get-UMMailboxPolicy | Where-Object { $_.Name -eq $name }) {\n"
        f"        Remove-UMMailboxPolicy -Identity $name -Confirm:$false {WHATIF}\n    }}\n}}"
    )


def attendants(at: ExchangeForest) -> Iterator[RunbookStep]:
    """The UM auto attendants."""
    mine = [a for a in at.org.um_auto_attendants if a.um_dial_plan in at.names]
    title = Text("UM auto attendants", "Standards automatiques de messagerie unifiée")
    for name, shell, some in at.split("auto-attendants", mine, lambda attendant: at.shell_of(attendant.um_dial_plan)):
        yield at.step(
            3, name, at.roles.organization(), title, shell=shell,
            commands=tuple(_attendant(each) for each in some), checks=tuple(_attendant_check(each) for each in some),
            saves=(Saved(
                "attendants",
                "Get-UMAutoAttendant | Select-Object -Property @('Name', 'SpeechEnabled', @{ Name = 'Status'; Expression = { \"$($_.Status)\" } }, "
                "@{ Name = 'Language'; Expression = { \"$($_.Language)\" } }, "
                "@{ Name = 'PilotIdentifierList'; Expression = { @($_.PilotIdentifierList | ForEach-Object { \"$_\" }) } })",
            ),),
            undo=(_attendants_undo(at, name, some),),
        )  # fmt: skip


def _attendant(each: m.DeclaredUMAutoAttendant) -> str:
    name = quote(each.name)
    settings = f"-PilotIdentifierList {array(each.pilot_identifiers)} -SpeechEnabled {flag(each.speech_enabled)}"
    status, verb = (
        (UMStatus.ENABLED, "Enable-UMAutoAttendant -Identity")
        if each.enabled
        else (UMStatus.DISABLED, "Disable-UMAutoAttendant -Confirm:$false -Identity")
    )
    return (
        f"if (-not (Get-UMAutoAttendant | Where-Object {{ $_.Name -eq {name} }})) {{\n"
        f"    New-UMAutoAttendant -Name {name} -UMDialPlan {quote(each.um_dial_plan)} {settings} {WHATIF}\n}}\n"
        f"if (Get-UMAutoAttendant | Where-Object {{ $_.Name -eq {name} }}) {{\n"
        f"    Set-UMAutoAttendant -Identity {name} {settings} -Language {quote(each.language)} {WHATIF}\n}}\n"
        f'if (Get-UMAutoAttendant | Where-Object {{ $_.Name -eq {name} -and "$($_.Status)" -ne {quote(status)} }}) {{\n'
        f"    {verb} {name} {WHATIF}\n}}"
    )


def _attendant_check(each: m.DeclaredUMAutoAttendant) -> str:
    status = UMStatus.ENABLED if each.enabled else UMStatus.DISABLED
    again = f"{each.name}: not of UM dial plan {each.um_dial_plan}; remove the auto attendant and make it again"
    return (
        f"$attendant = Get-UMAutoAttendant -Identity {quote(each.name)}\n"
        f"if ($attendant.UMDialPlan.Name -ne {quote(each.um_dial_plan)}) {{ throw {quote(again)} }}\n"
        f'if ("$($attendant.Status)" -ne {quote(status)}) {{ throw {quote(f"{each.name}: not {status}")} }}\n'
        f"if ($attendant.SpeechEnabled -ne {flag(each.speech_enabled)}) {{ throw {quote(f'{each.name}: SpeechEnabled differs')} }}\n"
        '$numbers = @($attendant.PilotIdentifierList | ForEach-Object { "$_" })\n'
        f"foreach ($number in {array(each.pilot_identifiers)}) {{\n"
        f"    if ($numbers -notcontains $number) {{ throw ({quote(f'{each.name}: no pilot identifier ')} + $number) }}\n}}"
    )


def _attendants_undo(at: ExchangeForest, name: str, some: list[m.DeclaredUMAutoAttendant]) -> str:
    return (
        f"$kept = {at.kept(3, name, 'attendants')}\n"
        f"foreach ($name in {array(each.name for each in some)}) {{\n"
        "    $was = @($kept | Where-Object { $_.Name -eq $name })\n"
        "    if (-not (Get-UMAutoAttendant | Where-Object { $_.Name -eq $name })) { continue }\n"
        "    if ($was.Count -eq 0) {\n"
        f"        Disable-UMAutoAttendant -Identity $name -Confirm:$false {WHATIF}\n"
        f"        Remove-UMAutoAttendant -Identity $name -Confirm:$false {WHATIF}\n"
        "        continue\n    }\n"
        f"    Set-UMAutoAttendant -Identity $name -PilotIdentifierList @($was[0].PilotIdentifierList) -SpeechEnabled $was[0].SpeechEnabled -Language $was[0].Language {WHATIF}\n"
        f"    if ($was[0].Status -eq 'Enabled') {{ Enable-UMAutoAttendant -Identity $name {WHATIF} }} "
        f"else {{ Disable-UMAutoAttendant -Identity $name -Confirm:$false {WHATIF} }}\n}}"
    )


def plain_gateways(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Plain UM IP gateways and their hunt groups."""
    mine = [g for g in at.org.um_ip_gateways if g.um_dial_plan in at.names]
    title = Text("Plain UM IP gateways and their hunt groups", "Passerelles IP simples et leurs groupements de postes")
    for name, shell, some in at.split("plain-gateways", mine, lambda each: at.shell_of(each.um_dial_plan)):
        yield at.step(
            3, name, at.roles.organization(), title, shell=shell,
            commands=tuple(_plain(each) for each in some), checks=tuple(_plain_check(each) for each in some),
            saves=(
                Saved("gateways", gateways_kept(message_waiting=False)), Saved("hunt-groups", HUNT_GROUPS_KEPT),
            ),
            undo=(gateways_undo(at, 3, name, [each.address for each in some], message_waiting=False),),
        )  # fmt: skip


def _plain(each: m.DeclaredUMIPGateway) -> str:
    return (
        gateway(each.name, each.address) + "\n"
        f'foreach ($gateway in @(Get-UMIPGateway | Where-Object {{ "$($_.Address)" -eq {quote(each.address)} }})) {{\n'
        f"    if ($gateway.Port -ne {each.port} -or $gateway.OutcallsAllowed) {{\n"
        f"        Set-UMIPGateway -Identity $gateway.Name -Port {each.port} -OutcallsAllowed $false {WHATIF}\n    }}\n}}\n"
        + hunt_group(each.address, each.um_dial_plan, each.pilot_identifier)
    )


def _plain_check(each: m.DeclaredUMIPGateway) -> str:
    name, plan, pilot = each.name, quote(each.um_dial_plan), quote(each.pilot_identifier)
    return (
        f'$gateway = Get-UMIPGateway | Where-Object {{ "$($_.Address)" -eq {quote(each.address)} }} | Select-Object -First 1\n'
        f"if (-not $gateway) {{ throw {quote(f'{name}: no UM IP gateway with address {each.address}')} }}\n"
        f"if ($gateway.Port -ne {each.port}) {{ throw {quote(f'{name}: the port is not {each.port}')} }}\n"
        f"if ($gateway.OutcallsAllowed) {{ throw {quote(f'{name}: outgoing calls are allowed')} }}\n"
        f"if (-not (Get-UMHuntGroup | Where-Object {{ $_.UMIPGateway.Name -eq $gateway.Name -and $_.UMDialPlan.Name -eq {plan} "
        f'-and "$($_.PilotIdentifier)" -eq {pilot} }})) {{ throw {quote(f"{name}: no hunt group of {each.um_dial_plan} with this pilot identifier")} }}'
    )


HUNT_GROUPS_KEPT = (
    "Get-UMHuntGroup | Select-Object -Property @('Name', @{ Name = 'Gateway'; Expression = { $_.UMIPGateway.Name } }, "
    "@{ Name = 'Plan'; Expression = { $_.UMDialPlan.Name } }, @{ Name = 'Pilot'; Expression = { \"$($_.PilotIdentifier)\" } })"
)
"""The hunt groups, as a step keeps them: names, in text."""


def gateways_kept(*, message_waiting: bool) -> str:
    """The UM IP gateways, as a step keeps them; ``message_waiting`` is not there in Exchange 2007."""
    waiting = ", 'MessageWaitingIndicatorAllowed'" if message_waiting else ""
    return f"Get-UMIPGateway | Select-Object -Property @('Name', 'Port', 'OutcallsAllowed'{waiting}, @{{ Name = 'Address'; Expression = {{ \"$($_.Address)\" }} }})"


def gateways_undo(at: ExchangeForest, number: int, name: str, addresses: list[str], *, message_waiting: bool) -> str:
    """Back to the gateways and hunt groups, of these addresses, that the step has kept."""
    waiting = " -MessageWaitingIndicatorAllowed $was[0].MessageWaitingIndicatorAllowed" if message_waiting else ""
    return (
        f"$kept = {at.kept(number, name, 'gateways')}\n$groups = {at.kept(number, name, 'hunt-groups')}\n"
        f'foreach ($gateway in @(Get-UMIPGateway | Where-Object {{ {array(addresses)} -contains "$($_.Address)" }})) {{\n'
        "    $was = @($kept | Where-Object { $_.Name -eq $gateway.Name })\n"
        "    $mine = @($groups | Where-Object { $_.Gateway -eq $gateway.Name })\n"
        "    foreach ($group in @(Get-UMHuntGroup | Where-Object { $_.UMIPGateway.Name -eq $gateway.Name })) {\n"
        '        if (@($mine | Where-Object { $_.Plan -eq $group.UMDialPlan.Name -and $_.Pilot -eq "$($group.PilotIdentifier)" }).Count -eq 0) {\n'
        f"            Remove-UMHuntGroup -Identity $group.Identity -Confirm:$false {WHATIF}\n        }}\n    }}\n"
        f"    if ($was.Count -eq 0) {{ Remove-UMIPGateway -Identity $gateway.Identity -Confirm:$false {WHATIF}; continue }}\n"
        f"    Set-UMIPGateway -Identity $gateway.Identity -Port $was[0].Port -OutcallsAllowed $was[0].OutcallsAllowed{waiting} {WHATIF}\n"
        "    $now = @(Get-UMHuntGroup | Where-Object { $_.UMIPGateway.Name -eq $gateway.Name })\n"
        "    foreach ($group in $mine) {\n"
        '        if (@($now | Where-Object { $_.UMDialPlan.Name -eq $group.Plan -and "$($_.PilotIdentifier)" -eq $group.Pilot }).Count -eq 0) {\n'
        f"            New-UMHuntGroup -Name $group.Name -UMIPGateway $group.Gateway -UMDialPlan $group.Plan -PilotIdentifier $group.Pilot {WHATIF}\n"
        "        }\n    }\n}"
    )
