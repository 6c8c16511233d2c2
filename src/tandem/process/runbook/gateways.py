"""PowerShell of phase 7 for Exchange: gateways, hunt groups, rights for the voice side, outgoing calls.

``message_waiting`` says whether the shell's gateways have MessageWaitingIndicatorAllowed (from Exchange 2010 on).
"""

from tandem.process.runbook.powershell import array, quote

WHATIF = "-WhatIf:$WhatIfPreference"
CONTAINERS = ("UM DialPlan Container", "UM AutoAttendant Container", "Administrative Groups")
"""What exchucutil.ps1 lets the voice side list and read below the organization, which it may list."""
GATEWAYS = "UM IPGateway Container"
"""What it leaves out, and the topic asks for."""
_GROUPS = ("RTCUniversalServerAdmins", "RTCComponentUniversalServices")


def gateway(name: str, address: str) -> str:
    """A gateway, unless one has this address."""
    return (
        f'if (-not (Get-UMIPGateway | Where-Object {{ "$($_.Address)" -eq {quote(address)} }})) {{\n'
        f"    New-UMIPGateway -Name {quote(name)} -Address {quote(address)} {WHATIF}\n}}"
    )


def hunt_group(address: str, plan: str, pilot: str) -> str:
    """A hunt group of the gateway with this address, unless it has one of that pilot identifier for the dial plan."""
    return (
        f'foreach ($gateway in @(Get-UMIPGateway | Where-Object {{ "$($_.Address)" -eq {quote(address)} }})) {{\n'
        f"    if (-not (Get-UMHuntGroup | Where-Object {{ $_.UMIPGateway.Name -eq $gateway.Name -and $_.UMDialPlan.Name -eq {quote(plan)} "
        f'-and "$($_.PilotIdentifier)" -eq {quote(pilot)} }})) {{\n'
        f"        New-UMHuntGroup -Name {quote(plan)} -UMIPGateway $gateway.Name -UMDialPlan {quote(plan)} -PilotIdentifier {quote(pilot)} {WHATIF}\n"
        "    }\n}"
    )


def voice_groups(voice_forest: str) -> str:
    """The groups of the voice side that read UM's objects, as ``forest\\group``."""
    return array(f"{voice_forest}\\{group}" for group in _GROUPS)


_RIGHTS = """\
$found = @(Get-ADPermission -Identity $object -User $group -ErrorAction SilentlyContinue | Where-Object { -not $_.Deny })
$rights = "$(@($found | ForEach-Object { $_.AccessRights }))"
$lists = $rights -match 'ListChildren|GenericRead|GenericAll'
$reads = $rights -match 'ReadProperty|GenericRead|GenericAll'"""
"""Sets ``$lists`` and ``$reads``: whether ``$group`` may list and read ``$object``."""


def lacking_rights(voice_forest: str, containers: tuple[str, ...]) -> str:
    """Adds to ``$missing`` a line for each group that may not list the organization, or list and read a container of it."""
    return (
        "$top = (Get-OrganizationConfig).DistinguishedName\n"
        f"foreach ($group in {voice_groups(voice_forest)}) {{\n"
        f"    foreach ($container in @('') + {array(containers)}) {{\n"
        "        $object = $top\n"
        "        if ($container) { $object = 'CN=' + $container + ',' + $top }\n"
        f"        {_RIGHTS.replace(chr(10), chr(10) + '        ')}\n"
        "        if (-not $lists) { $missing += $group + ' may not list ' + $object }\n"
        "        if ($container -and -not $reads) { $missing += $group + ' may not read ' + $object }\n"
        "    }\n}"
    )


def container_rights(voice_forest: str) -> str:
    """What exchucutil.ps1 leaves out: the voice side reads the container of gateways."""
    return (
        f"$object = 'CN={GATEWAYS},' + (Get-OrganizationConfig).DistinguishedName\n"
        f"foreach ($group in {voice_groups(voice_forest)}) {{\n"
        f"    {_RIGHTS.replace(chr(10), chr(10) + '    ')}\n"
        "    if (-not ($lists -and $reads)) {\n"
        f"        Add-ADPermission -Identity $object -User $group -AccessRights @('ListChildren', 'ReadProperty') -InheritanceType All {WHATIF}\n"
        "    }\n}"
    )


def remember(*, message_waiting: bool) -> str:
    """What exchucutil.ps1 changes at each run, for :func:`hunt_groups_again` and :func:`outcalls`, in variables."""
    waiting = "; Waiting = $gateway.MessageWaitingIndicatorAllowed" if message_waiting else ""
    return (
        "$before = @{}\nforeach ($gateway in @(Get-UMIPGateway)) {\n"
        '    $before[$gateway.Name] = New-Object PSObject -Property @{ Address = "$($gateway.Address)"; '
        f"Calls = $gateway.OutcallsAllowed{waiting} }}\n}}\n"
        "$groups = @(Get-UMHuntGroup | ForEach-Object {\n"
        "    New-Object PSObject -Property @{ Name = $_.Name; Gateway = $_.UMIPGateway.Name; Plan = $_.UMDialPlan.Name; "
        'Pilot = "$($_.PilotIdentifier)" }\n})'
    )


def hunt_groups_again() -> str:
    """Hunt groups that were there before and that exchucutil.ps1 has deleted; one whose name is taken gets its pilot's too."""
    return (
        "$left = @(Get-UMHuntGroup)\nforeach ($group in $groups) {\n"
        "    $mine = @($left | Where-Object { $_.UMIPGateway.Name -eq $group.Gateway })\n"
        '    if (@($mine | Where-Object { $_.UMDialPlan.Name -eq $group.Plan -and "$($_.PilotIdentifier)" -eq $group.Pilot }).Count -eq 0) {\n'
        "        $name = $group.Name\n"
        "        if (@($mine | Where-Object { $_.Name -eq $name }).Count -gt 0) { $name = $name + ' ' + $group.Pilot }\n"
        f"        New-UMHuntGroup -Name $name -UMIPGateway $group.Gateway -UMDialPlan $group.Plan -PilotIdentifier $group.Pilot {WHATIF}\n"
        "    }\n}"
    )


def outcalls(caller: str, secured: bool, *, message_waiting: bool) -> str:
    """What was set before is put back; of new gateways of pools one may call out, if none of a pool could before.

    A plain gateway that may call out counts for its own dial plan only.
    """
    lines = [
        "$taken = @($before.Values | Where-Object { $_.Calls -and $pools -contains $_.Address }).Count -gt 0",
        'foreach ($gateway in @(Get-UMIPGateway | Where-Object { $pools -contains "$($_.Address)" })) {',
        "    if ($before.ContainsKey($gateway.Name)) { $wanted = $before[$gateway.Name].Calls } "
        f'else {{ $wanted = (-not $taken) -and ("$($gateway.Address)" -eq {quote(caller)}) }}',
        "    if ($gateway.OutcallsAllowed -ne $wanted) "
        f"{{ Set-UMIPGateway -Identity $gateway.Identity -OutcallsAllowed $wanted {WHATIF} }}",
    ]
    if message_waiting:
        lines += [
            "    if ($before.ContainsKey($gateway.Name) -and $gateway.MessageWaitingIndicatorAllowed -ne $before[$gateway.Name].Waiting) {",
            f"        Set-UMIPGateway -Identity $gateway.Identity -MessageWaitingIndicatorAllowed $before[$gateway.Name].Waiting {WHATIF}",
            "    }",
        ]
    if secured:
        lines.append(
            f"    if ($gateway.Port -ne 5061) {{ Set-UMIPGateway -Identity $gateway.Identity -Port 5061 {WHATIF} }}"
        )
    return "\n".join((*lines, "}"))
