"""Phase 10 for pools of kind lync: trunks, PSTN usage records, voice policies, voice routes.

Trunks are made in Topology Builder, by a person; a voice route is made only when its PSTN gateways are in the topology. What
exists and differs is set. A list that is not declared (usages of a policy or route, gateways of a route) is left as it is.
"""

from collections.abc import Iterable, Iterator

from tandem.org import model as m
from tandem.process.roles import VOICE_SERVERS
from tandem.process.runbook.further import STEPS
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.fragments import IDENTITY, indented, replace_list, select, texts
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.model import RunbookStep, Saved, Text
from tandem.process.runbook.powershell import array, flag, quote, restored

_SWITCHES = ("AllowCallForwarding", "AllowSimulRing", "EnableCallTransfer")
_ONE = "Select-Object -First 1"


def voice(at: LyncSide) -> RunbookStep:
    """Phase 10: trunks, PSTN usages, voice policies, voice routes."""
    org = at.org
    commands = [*_gateways_first(org), *map(_usage, org.pstn_usages), *map(_policy, org.voice_policies)]
    commands += [_route(route, priority) for priority, route in enumerate(org.voice_routes)]
    title = Text(
        "Trunks, voice policies, PSTN usage records and voice routes",
        "Jonctions, stratégies de voix, enregistrements d'utilisation RTC et itinéraires des communications vocales",
    )
    return at.step(
        10, "voice", VOICE_SERVERS, title,
        typed=tuple(map(_trunk, org.pstn_gateways)), commands=tuple(commands), checks=tuple(_checks(at)),
        notes=tuple(_notes(org)), saves=_SAVED if commands else (), undo=tuple(_undo(at)),
        minutes=10 + 15 * len(org.pstn_gateways),
    )  # fmt: skip


def _list_column(name: str) -> str:
    return f"@{{ Name = '{name}'; Expression = {{ {texts(f'$_.{name}')} }} }}"


_SAVED = (
    Saved("usages", texts("(Get-CsPstnUsage -Identity Global).Usage")),
    Saved("policies", f"@(Get-CsVoicePolicy | {select(IDENTITY, *_SWITCHES, _list_column('PstnUsages'))})"),
    Saved("routes", f"@(Get-CsVoiceRoute | {select(IDENTITY, 'Priority', 'NumberPattern', _list_column('PstnUsages'), _list_column('PstnGatewayList'))})"),
)  # fmt: skip


def _trunk(gateway: m.DeclaredPstnGateway) -> Text:
    transport = gateway.transport.upper()
    return Text(
        f"Topology Builder: PSTN gateway {gateway.fqdn}, {transport} port {gateway.port}, trunk to the Mediation Server of {gateway.pool}; then publish the topology.",
        f"Générateur de topologie : passerelle RTC {gateway.fqdn}, {transport} port {gateway.port}, jonction vers le serveur de médiation de {gateway.pool} ; puis publiez la topologie.",
    )


def _gateway_there(fqdn: str) -> str:
    return f'(Get-CsService -PstnGateway | Where-Object {{ "$($_.Identity)" -eq {quote(f"PstnGateway:{fqdn}")} }})'


def _gateways_first(org: m.Organization) -> Iterator[str]:
    """Before anything is changed: New-CsVoiceRoute would fail in the middle."""
    for fqdn in dict.fromkeys(name for route in org.voice_routes for name in route.pstn_gateways):
        missing = quote(f"PSTN gateway {fqdn} is not in the topology: define it in Topology Builder and publish")
        yield f"if (-not {_gateway_there(fqdn)} -and -not $WhatIfPreference) {{ throw {missing} }}"


def _usage(name: str) -> str:
    return (
        f"if ((Get-CsPstnUsage -Identity Global).Usage -notcontains {quote(name)}) {{\n"
        f"    Set-CsPstnUsage -Identity Global -Usage @{{ add = {quote(name)} }} {WHATIF}\n}}"
    )


def _switches(policy: m.DeclaredVoicePolicy) -> tuple[tuple[str, bool], ...]:
    values = (policy.allow_call_forwarding, policy.allow_simul_ring, policy.enable_call_transfer)
    return tuple(zip(_SWITCHES, values, strict=True))


def _same_list(current: str, wanted: Iterable[str]) -> str:
    """A condition: the list of the object is another one. Order counts in a policy."""
    return f"({texts(current)} -join ';') -ne ({array(wanted)} -join ';')"


def _policy_differs(policy: m.DeclaredVoicePolicy) -> str:
    parts = [f"$policy.{name} -ne {flag(value)}" for name, value in _switches(policy)]
    if policy.pstn_usages:
        parts.append(_same_list("$policy.PstnUsages", policy.pstn_usages))
    return " -or ".join(parts)


def _policy(policy: m.DeclaredVoicePolicy) -> str:
    identity, usages = quote(policy.identity), array(policy.pstn_usages)
    switches = " ".join(f"-{name} {flag(value)}" for name, value in _switches(policy))
    added, replaced = (
        f" -PstnUsages @{{ {how} = {usages} }}" if policy.pstn_usages else "" for how in ("add", "replace")
    )
    return (
        f"$policy = Get-CsVoicePolicy -Identity {identity} -ErrorAction SilentlyContinue\n"
        f"if (-not $policy) {{ New-CsVoicePolicy -Identity {identity}{added} {switches} {WHATIF} }}\n"
        f"elseif ({_policy_differs(policy)}) {{ Set-CsVoicePolicy -Identity {identity}{replaced} {switches} {WHATIF} }}"
    )


def _services(route: m.DeclaredVoiceRoute) -> list[str]:
    return [f"PstnGateway:{fqdn}" for fqdn in route.pstn_gateways]


def _route_differs(route: m.DeclaredVoiceRoute, priority: int) -> str:
    parts = [f"$route.Priority -ne {priority}", f"$route.NumberPattern -cne {quote(route.number_pattern)}"]
    if route.pstn_usages:
        parts.append(_same_list("$route.PstnUsages", route.pstn_usages))
    if route.pstn_gateways:
        parts.append(_same_list("$route.PstnGatewayList", _services(route)))
    return " -or ".join(parts)


def _route(route: m.DeclaredVoiceRoute, priority: int) -> str:
    name = quote(route.name)
    settings = f"-Priority {priority} -NumberPattern {quote(route.number_pattern)}"

    def lists(how: str) -> str:
        named = (("PstnUsages", route.pstn_usages), ("PstnGatewayList", _services(route)))
        return "".join(f" -{parameter} @{{ {how} = {array(values)} }}" for parameter, values in named if values)

    return (
        f"$route = Get-CsVoiceRoute -Identity {name} -ErrorAction SilentlyContinue\n"
        f"if (-not $route) {{ New-CsVoiceRoute -Identity {name} {settings}{lists('add')} {WHATIF} }}\n"
        f"elseif ({_route_differs(route, priority)}) {{ Set-CsVoiceRoute -Identity {name} {settings}{lists('replace')} {WHATIF} }}"
    )


def _checks(at: LyncSide) -> Iterator[str]:
    """Trunks with their Mediation Servers, usages, policies and routes."""
    org = at.org
    for gateway in org.pstn_gateways:
        missing, pool = quote(f"PSTN gateway {gateway.fqdn} is not in the topology"), quote(gateway.pool)
        without = quote(f"{gateway.pool} has no Mediation Server for PSTN gateway {gateway.fqdn}")
        yield (
            f"$gateway = {_gateway_there(gateway.fqdn)} | {select('Identity', 'MediationServer')} | {_ONE}\n"
            f"if (-not $gateway) {{ throw {missing} }}\n"
            f'if (-not (Get-CsService -MediationServer | Where-Object {{ "$($_.PoolFqdn)" -eq {pool} }})) {{ throw {without} }}\n'
            f'if ($gateway.MediationServer -and "$($gateway.MediationServer)" -ne {quote(f"MediationServer:{gateway.pool}")}) '
            f"{{ throw ({quote(f'the trunk of {gateway.fqdn} leads to ')} + $gateway.MediationServer) }}"
        )
    for usage in org.pstn_usages:
        absent = quote(f"no PSTN usage record {usage}")
        yield f"if ((Get-CsPstnUsage -Identity Global).Usage -notcontains {quote(usage)}) {{ throw {absent} }}"
    for policy in org.voice_policies:
        wrong = quote(f"voice policy {policy.identity} is missing, or not as declared")
        yield (
            f"$policy = Get-CsVoicePolicy -Identity {quote(policy.identity)} -ErrorAction SilentlyContinue\n"
            f"if (-not $policy -or {_policy_differs(policy)}) {{ throw {wrong} }}"
        )
    for priority, route in enumerate(org.voice_routes):
        wrong = quote(f"voice route {route.name} is missing, or not as declared at place {priority}")
        yield (
            f"$route = Get-CsVoiceRoute -Identity {quote(route.name)} -ErrorAction SilentlyContinue\n"
            f"if (-not $route -or {_route_differs(route, priority)}) {{ throw {wrong} }}"
        )
    if not (org.pstn_gateways or org.pstn_usages or org.voice_policies or org.voice_routes):
        yield "if (-not (Get-CsVoicePolicy -Identity Global)) { throw 'there is no global voice policy' }"


def _notes(org: m.Organization) -> Iterator[Text]:
    for feature in org.voice_features:
        further = STEPS[feature]
        yield Text(f"Further step: {further.en}.", f"Étape supplémentaire : {further.fr}.")


def _undo(at: LyncSide) -> Iterator[str]:
    """Routes, policies, then usages: a usage cannot go while something has it. Trunks go in Topology Builder, by hand."""
    step = at.id(10, "voice")
    for route in at.org.voice_routes:
        name = quote(route.name)
        body = [f"Set-CsVoiceRoute -Identity {name} -Priority $was.Priority -NumberPattern $was.NumberPattern {WHATIF}"]
        body += [
            _list_back("Set-CsVoiceRoute", "Get-CsVoiceRoute", name, each) for each in ("PstnUsages", "PstnGatewayList")
        ]
        yield _back(restored(step, "routes"), name, body, "VoiceRoute")
    for policy in at.org.voice_policies:
        identity = quote(policy.identity)
        switches = " ".join(f"-{name} $was.{name}" for name in _SWITCHES)
        body = [
            f"Set-CsVoicePolicy -Identity {identity} {switches} {WHATIF}",
            _list_back("Set-CsVoicePolicy", "Get-CsVoicePolicy", identity, "PstnUsages"),
        ]
        yield _back(restored(step, "policies"), identity, body, "VoicePolicy")
    for usage in at.org.pstn_usages:
        named = quote(usage)
        yield (
            f"if ({restored(step, 'usages')} -notcontains {named} -and (Get-CsPstnUsage -Identity Global).Usage -contains {named}) {{\n"
            f"    Set-CsPstnUsage -Identity Global -Usage @{{ remove = {named} }} {WHATIF}\n}}"
        )
    for gateway in at.org.pstn_gateways:
        yield f"Write-Host {quote(f'Topology Builder: remove PSTN gateway {gateway.fqdn} if this step has made it, then publish')}"


def _list_back(setter: str, getter: str, identity: str, parameter: str) -> str:
    current = texts(f"({getter} -Identity {identity}).{parameter}")
    return replace_list(setter, identity, parameter, current, texts(f"$was.{parameter}"))


def _back(saved: str, identity: str, body: Iterable[str], kind: str) -> str:
    """What was there before gets its former values; what was not is removed."""
    inner = "\n".join(body)
    return (
        f"$was = {saved} | Where-Object {{ $_.Identity -eq {identity} }} | {_ONE}\n"
        f"if ($was) {{\n{indented(inner)}\n}} elseif (Get-Cs{kind} -Identity {identity} -ErrorAction SilentlyContinue) {{\n"
        f"    Remove-Cs{kind} -Identity {identity} {WHATIF}\n}}"
    )
