"""Phase 8 for pools of kind lync: voice dial plans and their normalization rules.

A dial plan that exists gets the declared simple name and rules. New-CsDialPlan makes a rule of its own ("Prefix All" or
"Keep All", a placeholder): it is removed from a dial plan that the step has made, once the declared rules are there. Other
rules of an administrator stay, after the declared ones.
"""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.numbers import phone_context
from tandem.org.versions import names_must_match
from tandem.org.vocabulary import GLOBAL, PoolType, UriType, registrar_identity
from tandem.process.roles import VOICE_SERVERS
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.fragments import IDENTITY, indented, named, select, site_of
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.model import RunbookStep, Saved, Text
from tandem.process.runbook.powershell import array, flag, quote, restored

_SAVED = (
    Saved("dial-plans", f"@(Get-CsDialPlan | {select(IDENTITY, 'SimpleName')})"),
    Saved("rules", f"@(Get-CsVoiceNormalizationRule | {select(IDENTITY, 'Priority', 'Pattern', 'Translation', 'IsInternalExtension')})"),
)  # fmt: skip


def dial_plans(at: LyncSide) -> RunbookStep:
    """Phase 8: voice dial plans and normalization rules."""
    plans = at.org.voice_dial_plans
    checks = [*(_check(plan) for plan in plans), *_names(at), *_suitable(at)]
    title = Text("Configure the voice dial plans", "Configurer les plans de numérotation Lync Server")
    return at.step(
        8, "dial-plans", VOICE_SERVERS, title,
        commands=tuple(_make(plan) for plan in plans), checks=tuple(checks), notes=tuple(_notes(at)),
        saves=_SAVED if plans else (), undo=tuple(_undo(at, plan) for plan in plans),
        minutes=5 + 2 * len(plans),
    )  # fmt: skip


def _settings(rule: m.DeclaredNormalizationRule, priority: int) -> str:
    return (
        f"-Priority {priority} -Pattern {quote(rule.pattern)} -Translation {quote(rule.translation)} "
        f"-IsInternalExtension {flag(rule.is_internal_extension)} {WHATIF}"
    )


def _differs(rule: m.DeclaredNormalizationRule, priority: int) -> str:
    return (
        f"$rule.Pattern -cne {quote(rule.pattern)} -or $rule.Translation -cne {quote(rule.translation)} "
        f"-or $rule.IsInternalExtension -ne {flag(rule.is_internal_extension)} -or $rule.Priority -ne {priority}"
    )


def _rule(plan: m.DeclaredVoiceDialPlan, rule: m.DeclaredNormalizationRule) -> str:
    return f"$rule = Get-CsVoiceNormalizationRule -Identity {quote(f'{plan.identity}/{rule.name}')} -ErrorAction SilentlyContinue"


def _make(plan: m.DeclaredVoiceDialPlan) -> str:
    """The dial plan, its simple name and its rules, each only where it is not as declared."""
    identity, name = quote(plan.identity), quote(plan.simple_name)
    there = f"Get-CsDialPlan -Identity {identity} -ErrorAction SilentlyContinue"
    lines = [f"$own = @()\n$plan = {there}"]
    if plan.identity != GLOBAL:
        lines.append(
            f"if (-not $plan) {{\n    New-CsDialPlan -Identity {identity} -SimpleName {name} {WHATIF}\n    $plan = {there}\n"
            "    if ($plan) { $own = @($plan.NormalizationRules | Where-Object { $_ } | ForEach-Object { $_.Name }) }\n}"
        )
    body = [f"if ($plan.SimpleName -ne {name}) {{ Set-CsDialPlan -Identity {identity} -SimpleName {name} {WHATIF} }}"]
    for priority, rule in enumerate(plan.normalization_rules):
        of_plan = quote(f"{plan.identity}/{rule.name}")
        body.append(
            f"{_rule(plan, rule)}\n"
            f"if (-not $rule) {{ New-CsVoiceNormalizationRule -Identity {of_plan} {_settings(rule, priority)} }}\n"
            f"elseif ({_differs(rule, priority)}) {{ Set-CsVoiceNormalizationRule -Identity {of_plan} {_settings(rule, priority)} }}"
        )
    if plan.identity != GLOBAL and plan.normalization_rules:
        declared = array(rule.name for rule in plan.normalization_rules)
        body.append(
            f"foreach ($name in @($own | Where-Object {{ {declared} -notcontains $_ }})) {{\n"
            f"    Remove-CsVoiceNormalizationRule -Identity ({quote(plan.identity + '/')} + $name) {WHATIF}\n}}"
        )
    lines.append("if ($plan) {\n" + indented("\n".join(body)) + "\n}")
    return "\n".join(lines)


def _check(plan: m.DeclaredVoiceDialPlan) -> str:
    identity = quote(plan.identity)
    lines = [
        f"$plan = Get-CsDialPlan -Identity {identity} -ErrorAction SilentlyContinue",
        f"if (-not $plan) {{ throw {quote(f'there is no dial plan {plan.identity}')} }}",
        f"if ($plan.SimpleName -ne {quote(plan.simple_name)}) {{ throw ({quote(f'{plan.identity} has the simple name ')} + $plan.SimpleName) }}",
    ]
    for priority, rule in enumerate(plan.normalization_rules):
        wrong = quote(f"{plan.identity}/{rule.name} is missing, or not as declared at place {priority}")
        lines += [_rule(plan, rule), f"if (-not $rule -or {_differs(rule, priority)}) {{ throw {wrong} }}"]
    return "\n".join(lines)


def _names(at: LyncSide) -> Iterator[str]:
    """Before 2010 SP1 a voice dial plan has to be called as the UM dial plan's phone context."""
    for um in at.org.um_dial_plans:
        name = phone_context(um.name, um.forest)
        if um.uri_type is UriType.SIP_NAME and names_must_match(at.org.servers_of(um)):
            yield (
                f"if (-not (Get-CsDialPlan | Where-Object {{ $_.SimpleName -eq {quote(name)} }})) "
                f"{{ throw {quote(f'no dial plan has the simple name {name}')} }}"
            )


def _suitable(at: LyncSide) -> Iterator[str]:
    """What is in force in a pool that has users: its own dial plan, else its site's, else the global one; it has a rule."""
    for pool in at.pools:
        if pool.pool_type is PoolType.DIRECTOR:
            continue
        own = named(quote(registrar_identity(pool.fqdn)))
        yield (
            f"$site = {site_of(pool.fqdn)}\n$plan = Get-CsDialPlan | Where-Object {{ {own} }}\n"
            f"if (-not $plan) {{ $plan = Get-CsDialPlan | Where-Object {{ {named('$site')} }} }}\n"
            "if (-not $plan) { $plan = Get-CsDialPlan -Identity Global }\n"
            "if (@($plan.NormalizationRules | Where-Object { $_ }).Count -eq 0) "
            f"{{ throw ({quote(f'{pool.fqdn}: no normalization rule in ')} + $plan.Identity) }}"
        )


def _notes(at: LyncSide) -> Iterator[Text]:
    for um in at.org.um_dial_plans:
        if um.uri_type is not UriType.SIP_NAME:
            continue
        name = phone_context(um.name, um.forest)
        if names_must_match(at.org.servers_of(um)):
            yield Text(
                f"{name}: its servers are older than Exchange 2010 SP1, so one dial plan must have this simple name.",
                f"{name} : ses serveurs sont antérieurs à Exchange 2010 SP1 ; un plan de numérotation doit donc avoir ce nom simple.",
            )
        else:
            yield Text(
                f"{name}: no dial plan needs this name; a suitable global, site or pool dial plan is enough.",
                f"{name} : il n'est pas nécessaire qu'un plan de numérotation Lync porte ce nom ; un plan de numérotation global, de site ou de pool approprié suffit.",
            )
    if any(plan.identity != GLOBAL and plan.normalization_rules for plan in at.org.voice_dial_plans):
        yield Text(
            "New-CsDialPlan adds a rule of its own (Prefix All or Keep All): it is removed from a dial plan made here. Rules that are not declared stay, after the declared ones.",
            "New-CsDialPlan ajoute sa propre règle (Prefix All ou Keep All) : elle est supprimée d'un plan de numérotation créé ici. Les règles non déclarées restent, après celles qui sont déclarées.",
        )


def _undo(at: LyncSide, plan: m.DeclaredVoiceDialPlan) -> str:
    """Rules and simple name as they were; what was not there before is removed."""
    step, identity = at.id(8, "dial-plans"), quote(plan.identity)
    lines = [
        f"$plans = {restored(step, 'dial-plans')}\n$rules = {restored(step, 'rules')}",
        f"$was = $plans | Where-Object {{ $_.Identity -eq {identity} }} | Select-Object -First 1",
    ]
    body = []
    for rule in plan.normalization_rules:
        named = quote(f"{plan.identity}/{rule.name}")
        body.append(
            f"$old = $rules | Where-Object {{ $_.Identity -eq {named} }} | Select-Object -First 1\n"
            f"if ($old) {{ Set-CsVoiceNormalizationRule -Identity {named} -Priority $old.Priority -Pattern $old.Pattern "
            f"-Translation $old.Translation -IsInternalExtension $old.IsInternalExtension {WHATIF} }}\n"
            f"elseif (Get-CsVoiceNormalizationRule -Identity {named} -ErrorAction SilentlyContinue) {{ Remove-CsVoiceNormalizationRule -Identity {named} {WHATIF} }}"
        )
    body.append(f"Set-CsDialPlan -Identity {identity} -SimpleName $was.SimpleName {WHATIF}")
    lines.append("if ($was) {\n" + indented("\n".join(body)) + "\n}")
    if plan.identity != GLOBAL:
        lines[-1] += (
            f" elseif (Get-CsDialPlan -Identity {identity} -ErrorAction SilentlyContinue) {{\n    Remove-CsDialPlan -Identity {identity} {WHATIF}\n}}"
        )
    return "\n".join(lines)
