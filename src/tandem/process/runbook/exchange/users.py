"""Phases 6 and 11 for users of servers of kind exchange. Users are in a table (CSV) beside the script and are named by their mail address.

In a forest with several versions a mailbox is changed in the shell of its own server's version.
"""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import phone_context
from tandem.org.versions import Generation
from tandem.org.vocabulary import UriType
from tandem.process.runbook.exchange.forest import VERSION_PATTERNS, ExchangeForest, year
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.model import RunbookStep, Saved, Shell, StepTable, Text
from tandem.process.runbook.powershell import quote, rows_of


def users(at: ExchangeForest) -> list[tuple[m.DeclaredUser, m.DeclaredUMDialPlan]]:
    """The users of this forest who are to be enabled for UM, each with the UM dial plan."""
    plans, policies = {p.name: p for p in at.plans}, mailbox_policies(at.org)
    found = ((u, plans.get(policies[u.um_mailbox_policy].um_dial_plan)) for u in at.org.users if u.um_mailbox_policy)
    return [(user, plan) for user, plan in found if plan]


def table(at: ExchangeForest) -> StepTable:
    """Those users as a table: one for all steps of a forest. ``Sip`` is empty where a dial plan takes none (TelExtn)."""
    several = len(at.org.messaging_forests) > 1
    rows = tuple(
        {
            "Mail": user.mail,
            "Sip": "" if plan.uri_type is UriType.TEL_EXTN else plan.address_of(user),
            "Extension": user.extension,
            "Policy": user.um_mailbox_policy,
            "Plan": plan.name,
            "Context": phone_context(plan.name, plan.forest),
            "Linked": "yes" if user.forest != at.forest else "",
        }
        for user, plan in users(at)
    )
    return StepTable(f"exchange-users-{at.forest}.csv" if several else "exchange-users.csv", rows)


def _each(at: ExchangeForest, shell: Shell, body: str, *, only: str = "") -> str:
    """A loop over the rows and their mailboxes; of several versions, over those that this shell manages."""
    rows = f"@({rows_of(table(at).file)} | Where-Object {{ {only} }})" if only else rows_of(table(at).file)
    mine = ""
    if len(at.shells) > 1:
        older = "|".join(VERSION_PATTERNS[each] for each in at.shells[:-1])
        # The newest shell takes what no older one does: there may be servers of versions that are not declared.
        others = f"-match {quote(older)}" if shell is at.shells[-1] else f"-notmatch {quote(VERSION_PATTERNS[shell])}"
        mine = (
            '    $version = "$((Get-ExchangeServer -Identity $mailbox.ServerName).AdminDisplayVersion)"\n'
            f"    if ($version {others}) {{ continue }}\n"
        )
    inner = "\n".join(f"    {line}" for line in body.split("\n"))
    return f"foreach ($row in {rows}) {{\n    $mailbox = Get-Mailbox -Identity $row.Mail\n{mine}{inner}\n}}"


def _by_shell(at: ExchangeForest, name: str) -> Iterator[tuple[str, Shell]]:
    for shell in at.shells:
        yield (name if len(at.shells) == 1 else f"{name}-{year(shell)}"), shell


def _shell_note(at: ExchangeForest, shell: Shell) -> tuple[Text, ...]:
    if len(at.shells) == 1:
        return ()
    return (
        Text(
            f"This step changes only mailboxes on servers of Exchange {year(shell)}.",
            f"Cette étape ne modifie que les boîtes aux lettres hébergées par des serveurs Exchange {year(shell)}.",
        ),
    )


_ADDRESS = (
    "$address = 'EUM:' + $row.Sip + ';phone-context=' + (Get-UMDialPlan -Identity $row.Plan).PhoneContext\n"
    '$missing = -not ($mailbox.EmailAddresses | Where-Object { "$_" -eq $address })'
)


def eum_addresses(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Phase 6: EUM proxy addresses of mailboxes that are enabled already."""
    add = (
        f"if (-not $mailbox.UMEnabled) {{ continue }}\n{_ADDRESS}\n"
        "if ($missing) {\n"
        "    $addresses = $mailbox.EmailAddresses\n    $addresses += $address\n"
        f"    Set-Mailbox -Identity $row.Mail -EmailAddresses $addresses {WHATIF}\n}}"
    )
    check = (
        f"if (-not $mailbox.UMEnabled) {{ continue }}\n{_ADDRESS}\n"
        "if ($missing) { throw ($row.Mail + ' has no ' + $address) }"
    )
    title = Text("SIP addresses of mailboxes", "Adresses SIP des boîtes aux lettres")
    for name, shell in _by_shell(at, "eum-addresses"):
        undo = (
            f"foreach ($was in {at.kept(6, name, 'addresses')}) {{\n"
            f"    Set-Mailbox -Identity $was.Mail -EmailAddresses @($was.EmailAddresses) {WHATIF}\n}}"
        )
        yield at.step(
            6, name, at.roles.eum_addresses(), title, shell=shell,
            commands=(_each(at, shell, add, only="$_.Sip"),), checks=(_each(at, shell, check, only="$_.Sip"),),
            notes=(Text(
                "Enable-UMMailbox writes the address itself in phase 11; this step is for users who are enabled already.",
                "L'applet de commande Enable-UMMailbox attribue l'adresse lors de la phase 11 ; cette étape ne concerne que les utilisateurs déjà activés.",
            ), *_shell_note(at, shell)),
            saves=(Saved("addresses", _kept(at, shell)),), undo=(undo,), tables=(table(at),),
        )  # fmt: skip


def _kept(at: ExchangeForest, shell: Shell) -> str:
    """The mailboxes of the table, as a step keeps them."""
    loop = _each(
        at, shell,
        "New-Object PSObject -Property @{ Mail = $row.Mail; UMEnabled = $mailbox.UMEnabled; "
        'EmailAddresses = @($mailbox.EmailAddresses | ForEach-Object { "$_" }) }',
    )  # fmt: skip
    return f"& {{\n{loop}\n}}"


_VERIFY = """\
$problems = @()
$plans = @{}
foreach ($policy in @(Get-UMMailboxPolicy)) { $plans[$policy.Name] = $policy.UMDialPlan.Name }
$digits = @{}
foreach ($plan in @(Get-UMDialPlan)) { $digits[$plan.Name] = $plan.NumberOfDigitsInExtension }
$taken = @{}
foreach ($um in @(Get-UMMailbox -ResultSize Unlimited | Where-Object { $_.UMMailboxPolicy })) {
    foreach ($extension in @($um.Extensions | Where-Object { $_ })) {
        $taken[$plans[$um.UMMailboxPolicy.Name] + ' ' + $extension] = "$($um.PrimarySmtpAddress)"
    }
}
ROWS
if ($problems.Count -gt 0) {
    if (-not $WhatIfPreference) { throw ($problems -join '; ') }
    Write-Warning ($problems -join '; ')
}"""
"""Before anyone is enabled: each policy is there and of its dial plan, each extension free and as long as it has to be.

``ROWS`` is the loop over :data:`_VERIFY_ROW`.
"""
_VERIFY_ROW = """\
if (-not $plans.ContainsKey($row.Policy)) { $problems += $row.Mail + ': there is no UM mailbox policy ' + $row.Policy; continue }
if ($plans[$row.Policy] -ne $row.Plan) { $problems += $row.Mail + ': policy ' + $row.Policy + ' is not of UM dial plan ' + $row.Plan; continue }
if ($row.Extension.Length -ne $digits[$row.Plan]) { $problems += $row.Mail + ': extension ' + $row.Extension + ' has the wrong number of digits' }
$key = $row.Plan + ' ' + $row.Extension
if ($taken.ContainsKey($key) -and $taken[$key] -ne "$($mailbox.PrimarySmtpAddress)") {
    $problems += $row.Mail + ': ' + $taken[$key] + ' has extension ' + $row.Extension + ' already'
}"""


def um_users(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Phase 11: Enable-UMMailbox."""
    title = Text("Enable the users for UM", "Activer les utilisateurs pour la messagerie unifiée")
    enable = (
        "if ($mailbox.UMEnabled) { continue }\n"
        "$more = @{}\nif ($row.Sip) { $more['SIPResourceIdentifier'] = $row.Sip }\n"
        f"Enable-UMMailbox -Identity $row.Mail -UMMailboxPolicy $row.Policy -Extensions $row.Extension @more {WHATIF}"
    )
    check = (
        "if (-not $mailbox.UMEnabled) { throw ($row.Mail + ' is not enabled for UM') }\n"
        "$um = Get-UMMailbox -Identity $row.Mail\n"
        "if ($um.UMMailboxPolicy.Name -ne $row.Policy) { throw ($row.Mail + ' is not of the UM mailbox policy ' + $row.Policy) }\n"
        "if (@($um.Extensions | ForEach-Object { \"$_\" }) -notcontains $row.Extension) { throw ($row.Mail + ' has no extension ' + $row.Extension) }\n"
        f"if ($row.Sip) {{\n    {_ADDRESS.replace(chr(10), chr(10) + '    ')}\n    if ($missing) {{ throw ($row.Mail + ' has no ' + $address) }}\n}}"
    )
    for name, shell in _by_shell(at, "um-users"):
        yield at.step(
            11, name, at.roles.um_users(), title, shell=shell,
            commands=(_VERIFY.replace("ROWS", _each(at, shell, _VERIFY_ROW)), _each(at, shell, enable)),
            checks=(_each(at, shell, check),), notes=(*_user_notes(at), *_shell_note(at, shell)),
            saves=(Saved("mailboxes", _kept(at, shell)),), undo=(_disable(at, name),), tables=(table(at),),
            minutes=5 + len(table(at).rows) // 60,
        )  # fmt: skip


def _disable(at: ExchangeForest, name: str) -> str:
    return (
        f"foreach ($was in @({at.kept(11, name, 'mailboxes')} | Where-Object {{ -not $_.UMEnabled }})) {{\n"
        "    if ((Get-Mailbox -Identity $was.Mail).UMEnabled) "
        f"{{ Disable-UMMailbox -Identity $was.Mail -Confirm:$false {WHATIF} }}\n}}"
    )


def _user_notes(at: ExchangeForest) -> Iterator[Text]:
    yield Text(
        "Before anyone is enabled, the script verifies that each UM mailbox policy exists and that each extension is unique in its dial plan.",
        "Avant toute activation, le script vérifie que chaque stratégie de boîte aux lettres de messagerie unifiée existe et que chaque numéro de poste est unique dans son plan de numérotation.",
    )
    yield Text(
        "No PIN is given: Exchange makes one by the policy and mails it to the user.",
        "Aucun code confidentiel n'est indiqué : Exchange en génère un conforme à la stratégie et l'envoie à l'utilisateur par courrier électronique.",
    )
    if at.newest is not Generation.E2007:
        yield Text(
            "The topic names the Exchange Recipient administrator here. From Exchange 2010 on Recipient Management holds no role for UM mailboxes: "
            "UM Management or Organization Management is needed.",
            "La rubrique indique ici l'administrateur des destinataires Exchange. À partir d'Exchange 2010, Recipient Management (Gestion des destinataires) n'a aucun "
            "rôle pour les boîtes aux lettres de messagerie unifiée : UM Management (Gestion de la messagerie unifiée) ou Organization Management (Gestion de l'organisation) est nécessaire.",
        )


_LINKED = """\
foreach ($row in @(ROWS | Where-Object { $_.Linked -and $_.Sip })) {
    $sip = $row.Sip.Replace('\\', '\\5c').Replace('*', '\\2a').Replace('(', '\\28').Replace(')', '\\29')
    $search = New-Object System.DirectoryServices.DirectorySearcher
    $search.SearchRoot = [ADSI]('GC://' + VOICE)
    $search.Filter = '(&(objectCategory=person)(msRTCSIP-PrimaryUserAddress=sip:' + $sip + '))'
    $found = $search.FindOne()
    if (-not $found) { throw ($row.Mail + ': no user with sip:' + $row.Sip + ' in ' + VOICE) }
    $address = 'EUM:' + $row.Sip + ';phone-context=' + $row.Context
    if (@($found.Properties['proxyaddresses']) -notcontains $address) { throw ($row.Mail + ': the user in ' + VOICE + ' has no ' + $address) }
}"""
"""Of those with a linked mailbox: the user of the Lync forest has the EUM address."""


def linked_users(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Phase 11 with two forests: the users' UM settings have to be on the user objects of the Lync forest too."""
    file = table(at).file
    if not at.two_forests or not any(row["Linked"] for row in table(at).rows):
        return
    voice = at.org.voice_forest
    yield at.step(
        11, "linked-users", at.roles.um_users(),
        Text(f"UM settings of the users in {voice}", f"Paramètres de messagerie unifiée des utilisateurs dans {voice}"),
        shell=Shell.WINDOWS,
        where=Text(f"PowerShell, on a computer that reaches {voice}", f"PowerShell, sur un ordinateur qui atteint {voice}"),
        typed=(Text(
            f"Copy the users' Exchange UM settings to their user objects in {voice}, as the guidelines ask: by a script, or by the tool that "
            "synchronizes the forests (Identity Lifecycle Manager, Forefront Identity Manager).",
            f"Copiez les paramètres de messagerie unifiée Exchange des utilisateurs vers leurs objets utilisateur dans {voice}, comme le demandent les instructions : par un "
            "script ou par l'outil qui synchronise les forêts (Identity Lifecycle Manager, Forefront Identity Manager).",
        ),),
        checks=(_LINKED.replace("ROWS", rows_of(file)).replace("VOICE", quote(voice)),),
        notes=(
            Text(
                "To back this step out, let the tool that copied the settings remove them.",
                "Pour annuler cette étape, supprimez les paramètres avec l'outil qui les a copiés.",
            ),
        ),
        tables=(table(at),), minutes=30,
    )  # fmt: skip
