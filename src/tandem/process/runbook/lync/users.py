"""Phases 6 and 10 for users of pools of kind lync, and their UM settings where Exchange is in another forest (11)."""

from tandem.org import model as m
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import phone_context
from tandem.org.vocabulary import UriType
from tandem.process.roles import VOICE_USERS
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.fragments import as_text, select
from tandem.process.runbook.lync.preconditions import UPN_NOTE
from tandem.process.runbook.lync.side import USER_ROWS, LyncSide
from tandem.process.runbook.model import RunbookStep, Saved, StepTable, Text
from tandem.process.runbook.powershell import quote, restored, rows_of

UM_SETTINGS = "lync-um-settings.csv"
_PER_MINUTE = 60
"""Users that a cmdlet changes in a minute, roughly."""
_PLAN = "\"$($user.DialPlan)\" -replace '^Tag:', ''"
_POLICY = "\"$($user.VoicePolicy)\" -replace '^Tag:', ''"
_LINES = f"@({USER_ROWS} | Where-Object {{ $_.Line }})"


def sip_addresses(at: LyncSide) -> RunbookStep:
    """Phase 6: users whose SIP address is another one. They are found by their user principal name."""
    step = at.id(6, "sip-addresses")
    command = (
        f"foreach ($row in {USER_ROWS}) {{\n    if (-not (Get-CsUser -Identity $row.Sip -ErrorAction SilentlyContinue)) {{\n"
        "        $user = Get-CsUser -Identity $row.Upn -ErrorAction SilentlyContinue\n"
        f"        if ($user) {{ Set-CsUser -Identity $row.Upn -SipAddress $row.Sip {WHATIF} }}\n    }}\n}}"
    )
    check = (
        f"$wrong = @({USER_ROWS} | Where-Object {{ -not (Get-CsUser -Identity $_.Sip -ErrorAction SilentlyContinue) }} | "
        "ForEach-Object { $_.Upn + ' does not have ' + $_.Sip })\nif ($wrong.Count -gt 0) { throw ($wrong -join '; ') }"
    )
    saved = (
        f"@({USER_ROWS} | ForEach-Object {{ Get-CsUser -Identity $_.Upn -ErrorAction SilentlyContinue }} | "
        f"{select('UserPrincipalName', 'SipAddress')})"
    )
    undo = (
        f"foreach ($was in {restored(step, 'users')}) {{\n"
        "    $user = Get-CsUser -Identity $was.UserPrincipalName -ErrorAction SilentlyContinue\n"
        f"    if ($user -and $user.SipAddress -ne $was.SipAddress) {{ Set-CsUser -Identity $was.UserPrincipalName -SipAddress $was.SipAddress {WHATIF} }}\n}}"
    )
    notes = (
        UPN_NOTE,
        Text(
            "A user whose SIP address changes has to sign in again, and the EUM address of the mailbox has to follow.",
            "Un utilisateur dont l'adresse SIP change doit se reconnecter, et l'adresse EUM de la boîte aux lettres doit suivre.",
        ),
    )
    return at.step(
        6, "sip-addresses", VOICE_USERS, Text("SIP addresses that differ", "Adresses SIP à corriger"),
        commands=(command,), checks=(check,), notes=notes, saves=(Saved("users", saved),), undo=(undo,),
        tables=(at.users_table(),), minutes=5 + len(at.users) // _PER_MINUTE,
    )  # fmt: skip


def voice_users(at: LyncSide) -> RunbookStep:
    """Phase 10: users enabled for Enterprise Voice, with their line and, where declared, their own dial plan and policy."""
    step = at.id(10, "users")
    command = (
        f"foreach ($row in {_LINES}) {{\n    $user = Get-CsUser -Identity $row.Sip\n"
        "    if (-not $user.EnterpriseVoiceEnabled -or $user.LineURI -ne $row.Line) {\n"
        f"        Set-CsUser -Identity $row.Sip -EnterpriseVoiceEnabled $true -LineURI $row.Line {WHATIF}\n    }}\n"
        f"    if ($row.DialPlan -and ({_PLAN}) -ne $row.DialPlan) {{ Grant-CsDialPlan -Identity $row.Sip -PolicyName $row.DialPlan {WHATIF} }}\n"
        f"    if ($row.Policy -and ({_POLICY}) -ne $row.Policy) {{ Grant-CsVoicePolicy -Identity $row.Sip -PolicyName $row.Policy {WHATIF} }}\n}}"
    )
    check = (
        f"foreach ($row in {_LINES}) {{\n    $user = Get-CsUser -Identity $row.Sip\n"
        "    if (-not $user.EnterpriseVoiceEnabled) { throw ($row.Sip + ' is not enabled for Enterprise Voice') }\n"
        "    if ($user.LineURI -ne $row.Line) { throw ($row.Sip + ' has the line ' + $user.LineURI + ', not ' + $row.Line) }\n"
        f"    if ($row.DialPlan -and ({_PLAN}) -ne $row.DialPlan) {{ throw ($row.Sip + ' does not have the dial plan ' + $row.DialPlan) }}\n"
        f"    if ($row.Policy -and ({_POLICY}) -ne $row.Policy) {{ throw ($row.Sip + ' does not have the voice policy ' + $row.Policy) }}\n}}"
    )
    saved = (
        f"@({_LINES} | ForEach-Object {{ Get-CsUser -Identity $_.Sip -ErrorAction SilentlyContinue }} | "
        f"{select('SipAddress', 'EnterpriseVoiceEnabled', 'LineURI', as_text('DialPlan'), as_text('VoicePolicy'))})"
    )
    return at.step(
        10, "users", VOICE_USERS,
        Text("Enable the users for Enterprise Voice", "Activer les utilisateurs pour Voix Entreprise"),
        commands=(command,), checks=(check,), saves=(Saved("users", saved),), undo=(_voice_users_undo(step),),
        tables=(at.users_table(),), minutes=5 + len(at.users) // _PER_MINUTE,
    )  # fmt: skip


def _voice_users_undo(step: str) -> str:
    grants = "\n".join(
        f"    $name = $was.{column} -replace '^Tag:', ''\n    if (-not $name) {{ $name = $null }}\n"
        f"    {cmdlet} -Identity $was.SipAddress -PolicyName $name {WHATIF}"
        for column, cmdlet in (("DialPlan", "Grant-CsDialPlan"), ("VoicePolicy", "Grant-CsVoicePolicy"))
    )
    return (
        f"foreach ($was in {restored(step, 'users')}) {{\n{grants}\n"
        f'    Set-CsUser -Identity $was.SipAddress -LineURI "$($was.LineURI)" -EnterpriseVoiceEnabled $was.EnterpriseVoiceEnabled {WHATIF}\n}}'
    )


def um_users(at: LyncSide) -> list[tuple[m.DeclaredUser, m.DeclaredUMDialPlan]]:
    """The users of these pools who are to be enabled for UM, each with the UM dial plan."""
    plans, policies = {p.name: p for p in at.org.um_dial_plans}, mailbox_policies(at.org)
    found = ((u, policies.get(u.um_mailbox_policy)) for u in at.users)
    return [(u, plans[policy.um_dial_plan]) for u, policy in found if policy and policy.um_dial_plan in plans]


def um_settings(at: LyncSide) -> RunbookStep:
    """Phase 11, where Exchange is in another forest: the users of the Lync forest have their EUM addresses too.

    Lync Server looks for the UM dial plan of a user among the proxy addresses of its own forest's user.
    """
    table = StepTable(
        UM_SETTINGS,
        tuple(
            {"Sip": f"sip:{user.sip_address}", "Address": f"{user.sip_address};phone-context={phone_context(plan.name, plan.forest)}"}
            for user, plan in um_users(at)
            if plan.forest != at.org.voice_forest and plan.uri_type is UriType.SIP_NAME
        ),
    )  # fmt: skip
    path = quote(f"GC://{at.org.voice_forest}")
    check = (
        f"$forest = New-Object System.DirectoryServices.DirectoryEntry({path})\n$wrong = @()\n"
        f"foreach ($row in {rows_of(UM_SETTINGS)}) {{\n"
        "    $sip = $row.Sip -replace '\\\\', '\\5c' -replace '\\*', '\\2a' -replace '\\(', '\\28' -replace '\\)', '\\29'\n"
        '    $finder = New-Object System.DirectoryServices.DirectorySearcher($forest, "(msRTCSIP-PrimaryUserAddress=$sip)")\n'
        "    $user = $finder.FindOne()\n    $addresses = @()\n"
        "    if ($user) { $addresses = @($user.Properties['proxyaddresses'] | ForEach-Object { \"$_\" }) }\n"
        "    if ($addresses -notcontains ('EUM:' + $row.Address)) { $wrong += $row.Sip + ' has no EUM:' + $row.Address }\n}\n"
        "if ($wrong.Count -gt 0) { throw ($wrong -join '; ') }"
    )
    note = Text(
        "Bring the EUM addresses to the users of the Lync forest by Forefront Identity Manager or a script of yours; nothing is changed here.",
        "Transférez les adresses EUM vers les utilisateurs de la forêt Lync au moyen de Forefront Identity Manager ou d'un script ; rien n'est modifié ici.",
    )
    title = Text(
        "Check the users' UM settings in the Lync forest",
        "Vérifier les paramètres de messagerie unifiée des utilisateurs dans la forêt Lync",
    )
    return at.step(11, "um-settings", VOICE_USERS, title, checks=(check,), notes=(note,), tables=(table,), minutes=10)
