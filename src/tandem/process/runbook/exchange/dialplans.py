"""Phases 3 and 4: the UM SIP URI dial plans and their security, each in the shell of the oldest server that serves it.

Dial plans are made as New-UMDialPlan makes them and secured in phase 4.
"""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.checks import AGREES
from tandem.org.numbers import phone_context
from tandem.org.vocabulary import PhoneEdition
from tandem.process.runbook.exchange.forest import ExchangeForest, year
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.model import RunbookStep, Saved, Shell, Text
from tandem.process.runbook.powershell import array, quote

_SETTINGS = (
    "DefaultLanguage",
    "MaxCallDuration",
    "MaxRecordingDuration",
    "RecordingIdleTimeout",
    "OperatorExtension",
    "VoIPSecurity",
)
"""What the steps set, and keep from before, as texts."""
_KEPT = (
    "Get-UMDialPlan | Select-Object -Property @('Name', "
    "@{ Name = 'AccessTelephoneNumbers'; Expression = { @($_.AccessTelephoneNumbers | ForEach-Object { \"$_\" }) } }, "
    + ", ".join(f"@{{ Name = '{name}'; Expression = {{ \"$($_.{name})\" }} }}" for name in _SETTINGS)
    + ")"
)


def dial_plans(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Phase 3: the UM SIP URI dial plans."""
    for name, shell, plans in at.split("dial-plans", at.plans, lambda plan: at.shell_of(plan.name)):
        yield at.step(
            3, name, at.roles.organization(),
            Text("Create the UM SIP URI dial plans", "Créer les plans de numérotation de messagerie unifiée de type URI SIP"),
            shell=shell,
            commands=tuple(_dial_plan(plan, shell) for plan in plans), checks=tuple(_check(plan) for plan in plans),
            notes=(
                Text("No dots or spaces in names.", "Les noms ne doivent contenir ni point ni espace."),
                *(_mixed(shell) if shell is not at.shells[-1] else ()),
            ),
            saves=(Saved("dial-plans", _KEPT),), undo=(_undo(at, name, plans),),
            no_return=Text(
                "The URI type and the number of digits of a dial plan cannot be changed; a dial plan that a newer version has upgraded cannot be managed by an older one.",
                "Le type d'URI et le nombre de chiffres d'un plan de numérotation ne peuvent pas être modifiés ; un plan mis à niveau par une version plus récente ne peut plus être géré par une version antérieure.",
            ),
        )  # fmt: skip


def _dial_plan(plan: m.DeclaredUMDialPlan, shell: Shell) -> str:
    name = quote(plan.name)
    operator = f" -OperatorExtension {quote(plan.operator_extension)}" if plan.operator_extension else ""
    country = "" if shell is Shell.EXCHANGE_2007 else f" -CountryOrRegionCode {quote(plan.country_code)}"
    return (
        f"if (-not (Get-UMDialPlan | Where-Object {{ $_.Name -eq {name} }})) {{\n"
        f"    New-UMDialPlan -Name {name} -URIType {plan.uri_type} -NumberOfDigitsInExtension {plan.extension_digits}{country} {WHATIF}\n"
        f"}}\n{_not_older(plan, shell)}if (Get-UMDialPlan | Where-Object {{ $_.Name -eq {name} }}) {{\n"
        f"    Set-UMDialPlan -Identity {name} -AccessTelephoneNumbers {array(plan.access_numbers)} -DefaultLanguage {quote(plan.language)} "
        f"-MaxCallDuration {plan.max_call_duration_min} -MaxRecordingDuration {plan.max_recording_duration_min} "
        f"-RecordingIdleTimeout {plan.recording_idle_timeout_s}{country}{operator} {WHATIF}\n}}"
    )


def _not_older(plan: m.DeclaredUMDialPlan, shell: Shell) -> str:
    """Stops before Set-UMDialPlan would ask whether to upgrade a dial plan of Exchange 2007, which cannot be taken back."""
    if shell is Shell.EXCHANGE_2007:
        return ""
    said = quote(
        f"{plan.name} was made by Exchange 2007. A change from here would upgrade it, and there is no way back: if no 2007 server uses "
        "it any more, upgrade it yourself (-ForceUpgrade), then run this step again"
    )
    return (
        f"if (Get-UMDialPlan | Where-Object {{ $_.Name -eq {quote(plan.name)} -and \"$($_.ExchangeVersion)\" -match '\\(8\\.' }}) "
        f"{{ throw {said} }}\n"
    )


def _check(plan: m.DeclaredUMDialPlan) -> str:
    name, context = quote(plan.name), phone_context(plan.name, plan.forest)
    wrong = {
        "URIType": (plan.uri_type, "wrong URI type; it cannot be changed, remove the dial plan and make it again"),
        "NumberOfDigitsInExtension": (
            str(plan.extension_digits),
            "wrong number of digits; remove the dial plan and make it again",
        ),
        "DefaultLanguage": (plan.language, "wrong language"),
        "PhoneContext": (context, f"the phone context is not {context}, which voice dial plans and contacts name"),
    }
    tests = [
        f'if ("$($plan.{field})" -ne {quote(value)}) {{ throw {quote(f"{plan.name}: {text}")} }}'
        for field, (value, text) in wrong.items()
    ]
    numbers = (
        '$numbers = @($plan.AccessTelephoneNumbers | ForEach-Object { "$_" })\n'
        f"foreach ($number in {array(plan.access_numbers)}) {{\n"
        f"    if ($numbers -notcontains $number) {{ throw ({quote(f'{plan.name}: no access number ')} + $number) }}\n}}"
    )
    return "\n".join((f"$plan = Get-UMDialPlan -Identity {name}", *tests, numbers))


def _mixed(shell: Shell) -> tuple[Text, ...]:
    return (
        Text(
            f"Create and change these dial plans in the shell of Exchange {year(shell)}, the oldest version that serves them: it cannot manage objects of a newer version.",
            f"Ces plans de numérotation sont créés et modifiés dans l'environnement d'Exchange {year(shell)}, la version la plus ancienne qui les sert : elle ne pourrait pas gérer les objets d'une version plus récente.",
        ),
    )


def _undo(at: ExchangeForest, name: str, plans: list[m.DeclaredUMDialPlan]) -> str:
    return (
        f"$kept = {at.kept(3, name, 'dial-plans')}\n"
        f"foreach ($name in {array(plan.name for plan in plans)}) {{\n"
        "    $was = @($kept | Where-Object { $_.Name -eq $name })\n"
        "    if ($was.Count -eq 0) {\n"
        "        if (Get-UMDialPlan | Where-Object { $_.Name -eq $name }) {\n"
        "            Get-UMMailboxPolicy | Where-Object { $_.UMDialPlan.Name -eq $name } | ForEach-Object "
        f"{{ Remove-UMMailboxPolicy -Identity $_.Name -Confirm:$false {WHATIF} }}\n"
        f"            Remove-UMDialPlan -Identity $name -Confirm:$false {WHATIF}\n        }}\n"
        "    } else {\n"
        "        $more = @{}\n"
        "        if ($was[0].OperatorExtension) { $more['OperatorExtension'] = $was[0].OperatorExtension }\n"
        "        Set-UMDialPlan -Identity $name -AccessTelephoneNumbers @($was[0].AccessTelephoneNumbers) -DefaultLanguage $was[0].DefaultLanguage "
        "-MaxCallDuration $was[0].MaxCallDuration -MaxRecordingDuration $was[0].MaxRecordingDuration "
        f"-RecordingIdleTimeout $was[0].RecordingIdleTimeout @more {WHATIF}\n"
        "    }\n}"
    )


def security(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Phase 4: the dial plans' VoIP security."""
    title = Text("Set the dial plans' VoIP security", "Définir la sécurité VoIP des plans de numérotation")
    for name, shell, plans in at.split("security", at.plans, lambda plan: at.shell_of(plan.name)):
        commands = tuple(
            f"if (Get-UMDialPlan | Where-Object {{ $_.Name -eq {quote(p.name)} -and $_.VoIPSecurity -ne {quote(p.voip_security)} }}) {{\n"
            f"    Set-UMDialPlan -Identity {quote(p.name)} -VoIPSecurity {p.voip_security} {WHATIF}\n}}"
            for p in plans
        )
        checks = tuple(
            f"if ((Get-UMDialPlan -Identity {quote(p.name)}).VoIPSecurity -ne {quote(p.voip_security)}) "
            f"{{ throw {quote(f'{p.name}: VoIP security is not {p.voip_security}')} }}"
            for p in plans
        )
        undo = (
            f"foreach ($was in @({at.kept(4, name, 'dial-plans')} | Where-Object {{ {array(p.name for p in plans)} -contains $_.Name }})) {{\n"
            f"    Set-UMDialPlan -Identity $was.Name -VoIPSecurity $was.VoIPSecurity {WHATIF}\n}}"
        )
        yield at.step(
            4, name, at.roles.organization(), title, shell=shell,
            commands=commands, checks=checks, notes=tuple(_security_notes(at)),
            saves=(Saved("dial-plans", _KEPT),), undo=(undo,),
        )  # fmt: skip


def _security_notes(at: ExchangeForest) -> Iterator[Text]:
    yield Text(
        "It has to agree with the pools' media encryption (Get-CsMediaConfiguration), or every call to UM fails.",
        "Le niveau de sécurité VoIP doit correspondre au niveau de chiffrement des pools (Get-CsMediaConfiguration) ; sinon, tous les appels vers la messagerie unifiée échouent.",
    )
    for level in dict.fromkeys(pool.media_encryption for pool in at.org.voice_pools):
        fitting = AGREES[level]
        yield Text(f"Pools with {level}: {' or '.join(fitting)}.", f"Pools avec {level} : {' ou '.join(fitting)}.")
    if at.org.phone_edition is not PhoneEdition.NONE:
        yield Text(
            "Lync Phone Edition works only if the dial plan's security agrees with the pools' encryption "
            "(Require: Secured; Support: SIPSecured or Secured, Secured recommended; none: SIPSecured).",
            "Pour que les appareils Lync Phone Edition fonctionnent, les paramètres de chiffrement de Lync Server et la sécurité du plan de "
            "numérotation doivent correspondre (obligatoire : Secured ; pris en charge : SIPSecured ou Secured, de préférence Secured ; aucun : SIPSecured).",
        )
