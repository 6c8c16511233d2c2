"""Phase 9 for pools of kind lync: the right to create contacts, and the contact objects themselves.

OcsUmUtil.exe is a program with windows: a person enters the rows of lync-contacts.csv. Get-CsExUmContact is documented for
contacts of hosted UM only, so the check reads the contacts from Active Directory, by attributes that Lync's schema reference
names (msRTCSIP-PrimaryUserAddress, msRTCSIP-Line).
"""

from collections.abc import Iterator

from tandem.org.topology import domain_of
from tandem.org.versions import names_must_match
from tandem.process.phases import Side
from tandem.process.roles import DIRECTORY_ADMINS, OCSUMUTIL
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.fragments import indented, search
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.model import RunbookStep, Saved, Shell, StepTable, Text
from tandem.process.runbook.powershell import array, restored, rows_of

CONTACTS = "lync-contacts.csv"
_UTILITIES = {
    Shell.LYNC_2010: "Microsoft Lync Server 2010\\Support\\OcsUmUtil.exe",
    Shell.LYNC_2013: "Microsoft Lync Server 2013\\Support\\OcsUmUtil.exe",
    Shell.SKYPE_2015: "Skype for Business Server 2015\\Support\\OcsUMUtil.exe",
}
"""Below %CommonProgramFiles%."""
_TEST = "Test-CsOUPermission -ObjectType 'Contact' -OU"
_SUBSCRIBER, _ATTENDANT = "Subscriber Access", "Auto Attendant"
_FRENCH = {_SUBSCRIBER: "Accès abonné", _ATTENDANT: "Standard automatique"}


def ou_permission(at: LyncSide) -> RunbookStep:
    """Phase 9: the right to create contacts in their OUs."""
    ous = array(dict.fromkeys(contact.ou for contact in at.contacts))
    step = at.id(9, "ou-permission")
    command = (
        f"foreach ($ou in {ous}) {{\n    if (-not ({_TEST} $ou)) {{\n"
        f"        Grant-CsOUPermission -ObjectType 'Contact' -OU $ou {WHATIF}\n    }}\n}}"
    )
    check = f"foreach ($ou in {ous}) {{\n    if (-not ({_TEST} $ou)) {{ throw ('no right to create contacts in ' + $ou) }}\n}}"
    undo = (
        f"foreach ($was in {restored(step, 'permissions')}) {{\n"
        f"    if (-not $was.Granted) {{ Revoke-CsOUPermission -ObjectType 'Contact' -OU $was.OU {WHATIF} }}\n}}"
    )
    saved = (
        f"@({ous} | ForEach-Object {{ New-Object PSObject -Property @{{ OU = $_; Granted = [bool]({_TEST} $_) }} }})"
    )
    title = Text(
        "Grant the right to create contacts in their OU",
        "Accorder le droit de créer des contacts dans leur unité d'organisation",
    )
    note = Text(
        "It is needed where the OU does not inherit permissions; if the right is there already, nothing is changed.",
        "Nécessaire si l'unité d'organisation n'hérite pas des autorisations ; si le droit existe déjà, rien n'est modifié.",
    )
    return at.step(
        9, "ou-permission", DIRECTORY_ADMINS, title, side=Side.DIRECTORY,
        commands=(command,), checks=(check,), notes=(note,), saves=(Saved("permissions", saved),), undo=(undo,),
    )  # fmt: skip


def contacts(at: LyncSide) -> RunbookStep:
    """Phase 9: contact objects, by OcsUmUtil."""
    step = at.id(9, "contacts")
    found = (
        f"{_find(at)}\nforeach ($row in {rows_of(CONTACTS)}) {{\n    $contact = $found[$row.SipAddress]\n"
        "    if (-not $contact) { throw ('no contact ' + $row.SipAddress + ' in ' + $row.OU) }\n"
        "    if (\"$($contact['msrtcsip-line'])\" -ne ('tel:' + $row.PhoneNumber)) "
        "{ throw ($row.SipAddress + ' has the number ' + \"$($contact['msrtcsip-line'])\" + ', not tel:' + $row.PhoneNumber) }\n"
        "    if (\"$($contact['msrtcsip-userenabled'])\" -ne 'True') { throw ($row.SipAddress + ' is not enabled for Lync Server') }\n}"
    )
    undo = (
        f"$before = {restored(step, 'contacts')}\nforeach ($row in {rows_of(CONTACTS)}) {{\n"
        "    if ($before -notcontains $row.SipAddress) { Write-Host ('OcsUmUtil, ' + $row.DialPlan + ', Remove: ' + $row.SipAddress) }\n}"
    )
    title = Text("Make the contact objects (OcsUmUtil)", "Créer les objets contact (OcsUmUtil)")
    return at.step(
        9, "contacts", OCSUMUTIL, title,
        typed=tuple(_entries(at)), checks=(found,), notes=tuple(_notes(at)),
        saves=(Saved("contacts", _addresses(at)),), undo=(undo,), tables=(contacts_table(at),),
        minutes=10 + 3 * len(at.contacts),
    )  # fmt: skip


def _paths(at: LyncSide) -> str:
    """The OUs as ADsPaths, of their own domain. A slash in a name is escaped, as ADSI asks."""
    escaped = ((contact.ou, contact.ou.replace("/", "\\/")) for contact in at.contacts)
    return array(dict.fromkeys(f"LDAP://{domain_of(ou)}/{path}" for ou, path in escaped))


def _addresses(at: LyncSide) -> str:
    """The SIP addresses of the contacts in the OUs, as one expression."""
    return (
        f"@({_paths(at)} | ForEach-Object {{ (New-Object System.DirectoryServices.DirectorySearcher((New-Object System.DirectoryServices.DirectoryEntry($_)), "
        "'(&(objectClass=contact)(msRTCSIP-PrimaryUserAddress=*))')).FindAll() } | "
        "ForEach-Object { \"$($_.Properties['msrtcsip-primaryuseraddress'])\" })"
    )


def _find(at: LyncSide) -> str:
    """Sets ``$found``: the contacts of the OUs by their SIP address."""
    body = (
        f"{search('$ou', '(&(objectClass=contact)(msRTCSIP-PrimaryUserAddress=*))')}\n"
        "foreach ($entry in @($finder.FindAll())) {\n"
        "    $found[\"$($entry.Properties['msrtcsip-primaryuseraddress'])\"] = $entry.Properties\n}"
    )
    return f"$found = @{{}}\nforeach ($ou in {_paths(at)}) {{\n{indented(body)}\n}}"


def contacts_table(at: LyncSide) -> StepTable:
    """The contact objects, a row for each."""
    return StepTable(
        CONTACTS,
        tuple(
            {"DialPlan": c.um_dial_plan, "Name": c.display_name, "SipAddress": f"sip:{c.sip_address}", "ServerOrPool": c.pool,
             "PhoneNumber": c.number, "ContactType": _ATTENDANT if c.auto_attendant else _SUBSCRIBER,
             "AutoAttendant": c.auto_attendant, "OU": c.ou}
            for c in at.contacts
        ),
    )  # fmt: skip


def _entries(at: LyncSide) -> Iterator[Text]:
    """What a person does in the tool, a line per action; the fields are the columns of the table."""
    tool = f"%CommonProgramFiles%\\{_UTILITIES[at.versions()[0].shell]}"
    yield Text(
        f"Run {tool}, then click Load Data.", f"Exécutez {tool}, puis cliquez sur Load Data (Charger les données)."
    )
    for row in contacts_table(at).rows:
        kind, attendant = row["ContactType"], f": {row['AutoAttendant']}" if row["AutoAttendant"] else ""
        yield Text(
            f"SIP dial plan {row['DialPlan']}, Add: Organizational Unit {row['OU']}; Name {row['Name']}; SIP Address {row['SipAddress']}; "
            f"Server or Pool {row['ServerOrPool']}; Phone Number {row['PhoneNumber']}; Contact Type {kind}{attendant}.",
            f"Plan de numérotation SIP {row['DialPlan']}, Add : Unité d'organisation : {row['OU']} ; Nom : {row['Name']} ; Adresse SIP : {row['SipAddress']} ; "
            f"Serveur ou pool : {row['ServerOrPool']} ; Numéro de téléphone : {row['PhoneNumber']} ; Type de contact : {_FRENCH[kind]}{attendant}.",
        )


def _notes(at: LyncSide) -> Iterator[Text]:
    yield Text(
        "You must be in both groups, or the tool does not work; and you must be allowed to create contacts in the OU.",
        "Vous devez être membre des deux groupes, sinon l'outil ne fonctionne pas, et avoir le droit de créer des contacts dans l'unité d'organisation.",
    )
    plans = {plan.name: plan for plan in at.org.um_dial_plans}
    used = [plans[name] for name in dict.fromkeys(c.um_dial_plan for c in at.contacts) if name in plans]
    for plan in used:
        if names_must_match(at.org.servers_of(plan)):
            yield Text(
                f"{plan.name}: if the tool warns that no dial plan has the same name, stop and correct phase 8.",
                f"{plan.name} : si l'outil signale qu'aucun plan de numérotation ne porte le même nom, arrêtez-vous et corrigez la phase 8.",
            )
        else:
            yield Text(
                f"{plan.name}: ignore the tool's warning about names; from Exchange 2010 SP1 on they need not match.",
                f"{plan.name} : ignorez l'avertissement de l'outil relatif aux noms ; à partir d'Exchange 2010 SP1, ils n'ont pas besoin de correspondre.",
            )
