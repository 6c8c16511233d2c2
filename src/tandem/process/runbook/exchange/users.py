"""Phases 6 and 11 for users of servers of kind exchange."""

from tandem.org import model as m
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import phone_context
from tandem.org.vocabulary import UriType
from tandem.process.runbook.exchange.forest import ExchangeForest
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.model import RunbookStep, Text
from tandem.process.runbook.powershell import table


def users(at: ExchangeForest) -> list[tuple[m.DeclaredUser, m.DeclaredUMDialPlan]]:
    """The users of this forest who are to be enabled for UM, each with the UM dial plan."""
    plans, policies = {p.name: p for p in at.plans}, mailbox_policies(at.org)
    found = ((u, plans.get(policies[u.um_mailbox_policy].um_dial_plan)) for u in at.org.users if u.um_mailbox_policy)
    return [(user, plan) for user, plan in found if plan]


def eum_addresses(at: ExchangeForest) -> RunbookStep:
    """Phase 6: EUM proxy addresses of mailboxes that are enabled already."""
    rows = [
        {
            "User": user.account,
            "Address": f"EUM:{plan.address_of(user)};phone-context={phone_context(plan.name, plan.forest)}",
        }
        for user, plan in users(at)
        if plan.uri_type is not UriType.TEL_EXTN
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
    return at.step(6, "eum-addresses", at.roles.eum_addresses(), title, commands=(add,), checks=(check,), notes=(note,))


def um_users(at: ExchangeForest) -> RunbookStep:
    """Phase 11: Enable-UMMailbox."""
    rows = [
        {
            "User": user.account,
            "Policy": user.um_mailbox_policy,
            "Extension": user.extension,
            # Exchange needs it for SIP URI and E.164 dial plans, and takes none for the others.
            "Sip": "" if plan.uri_type is UriType.TEL_EXTN else plan.address_of(user),
        }
        for user, plan in users(at)
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
    return at.step(11, "um-users", at.roles.um_users(), title, commands=(enable,), checks=(check,), notes=(note,))
