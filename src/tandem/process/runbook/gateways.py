"""PowerShell of phase 7 for Exchange: gateways, hunt groups, rights on their container, outgoing calls."""

from tandem.process.runbook.powershell import array, quote

WHATIF = "-WhatIf:$WhatIfPreference"


def gateway(name: str, address: str) -> str:
    """A gateway, unless one has this address."""
    return (
        f'if (-not (Get-UMIPGateway | Where-Object {{ "$($_.Address)" -eq {quote(address)} }})) {{\n'
        f"    New-UMIPGateway -Name {quote(name)} -Address {quote(address)} {WHATIF}\n}}"
    )


def hunt_group(gateway: str, plan: str, pilot: str) -> str:
    """A hunt group, unless the gateway has one for the dial plan."""
    return (
        f"if (-not (Get-UMHuntGroup | Where-Object {{ $_.UMIPGateway.Name -eq {quote(gateway)} -and $_.UMDialPlan.Name -eq {quote(plan)} }})) {{\n"
        f"    New-UMHuntGroup -Name {quote(plan)} -UMIPGateway {quote(gateway)} -UMDialPlan {quote(plan)} -PilotIdentifier {quote(pilot)} {WHATIF}\n}}"
    )


def container_rights(voice_forest: str) -> str:
    """What exchucutil.ps1 leaves out: the voice side reads the container of gateways."""
    groups = array(f"{voice_forest}\\{g}" for g in ("RTCUniversalServerAdmins", "RTCComponentUniversalServices"))
    return (
        "$container = 'CN=UM IPGateway Container,' + (Get-OrganizationConfig).DistinguishedName\n"
        f"foreach ($group in {groups}) {{\n"
        "    if (-not (Get-ADPermission -Identity $container -User $group -ErrorAction SilentlyContinue)) {\n"
        f"        Add-ADPermission -Identity $container -User $group -AccessRights @('ListChildren', 'ReadProperty') -InheritanceType All {WHATIF}\n"
        "    }\n}"
    )


def outcalls(caller: str, secured: bool) -> str:
    """What was set before is put back; of new gateways of pools one may call out, if none of a pool could before.

    A plain gateway that may call out counts for its own dial plan only.
    """
    port = (
        f"    if ($gateway.Port -ne 5061) {{ Set-UMIPGateway -Identity $gateway.Identity -Port 5061 {WHATIF} }}\n"
        if secured
        else ""
    )
    return (
        "$taken = @($before.Values | Where-Object { $_.Calls -and $pools -contains $_.Address }).Count -gt 0\n"
        f'foreach ($gateway in @(Get-UMIPGateway | Where-Object {{ $pools -contains "$($_.Address)" }})) {{\n'
        "    if ($before.ContainsKey($gateway.Name)) { $wanted = $before[$gateway.Name].Calls } "
        f'else {{ $wanted = (-not $taken) -and ("$($gateway.Address)" -eq {quote(caller)}) }}\n'
        "    if ($gateway.OutcallsAllowed -ne $wanted) "
        f"{{ Set-UMIPGateway -Identity $gateway.Identity -OutcallsAllowed $wanted {WHATIF} }}\n{port}}}"
    )
