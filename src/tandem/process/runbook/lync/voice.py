"""Users, and phases 8 to 10 for pools of kind lync: dial plans, contact objects, Enterprise Voice."""

from tandem.org.numbers import phone_context
from tandem.org.versions import names_must_match
from tandem.org.vocabulary import GLOBAL, VoiceFeature
from tandem.process.phases import Side
from tandem.process.roles import DIRECTORY_ADMINS, OCSUMUTIL, VOICE_SERVERS, VOICE_USERS
from tandem.process.runbook.further import STEPS
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.model import RunbookStep, Text
from tandem.process.runbook.powershell import array, flag, quote, table

_UTILITY = {
    "2010": "Microsoft Lync Server 2010\\Support\\OcsUmUtil.exe",
    "2015": "Skype for Business Server 2015\\Support\\OcsUMUtil.exe",
}
"""Below %CommonProgramFiles%, by the pool's version."""


def users(at: LyncSide, number: str, name: str, en: str, fr: str, *, change: bool) -> RunbookStep:
    """Users enabled for Lync (phase 0), or whose SIP address is to be changed (phase 6)."""
    missing = "-not $user" if not change else "$user -and $user.SipAddress -ne $row.Sip"
    act = (
        f"Enable-CsUser -Identity $row.User -RegistrarPool $row.Pool -SipAddress $row.Sip {WHATIF}"
        if not change
        else f"Set-CsUser -Identity $row.User -SipAddress $row.Sip {WHATIF}"
    )
    loop = f"foreach ($row in {table(at.rows())}) {{\n    $user = Get-CsUser -Identity $row.User -ErrorAction SilentlyContinue\n"
    command = f"{loop}    if ({missing}) {{\n        {act}\n    }}\n}}"
    check = f"{loop}    if ({missing}) {{ throw ($row.User + ': ' + $row.Sip) }}\n}}"
    title = Text(en.capitalize(), fr.capitalize())
    return at.step(int(number), name, VOICE_USERS, title, commands=(command,), checks=(check,))


def dial_plans(at: LyncSide) -> RunbookStep:
    """Phase 8: voice dial plans and normalization rules."""
    commands = []
    for plan in at.org.voice_dial_plans:
        identity = quote(plan.identity)
        if plan.identity != GLOBAL:
            commands.append(
                f"if (-not (Get-CsDialPlan -Identity {identity} -ErrorAction SilentlyContinue)) {{\n"
                f"    New-CsDialPlan -Identity {identity} -SimpleName {quote(plan.simple_name)} {WHATIF}\n}}"
            )
        for priority, rule in enumerate(plan.normalization_rules):
            named = quote(f"{plan.identity}/{rule.name}")
            commands.append(
                f"if (-not (Get-CsVoiceNormalizationRule -Identity {named} -ErrorAction SilentlyContinue)) {{\n"
                f"    New-CsVoiceNormalizationRule -Identity {named} -Priority {priority} -Pattern {quote(rule.pattern)} "
                f"-Translation {quote(rule.translation)} -IsInternalExtension {flag(rule.is_internal_extension)} {WHATIF}\n}}"
            )
    checks, notes = [], []
    for um in at.org.um_dial_plans:
        name = phone_context(um.name, um.forest)
        servers = at.org.servers_of(um)
        if names_must_match(servers):
            checks.append(
                f"if (-not (Get-CsDialPlan | Where-Object {{ $_.SimpleName -eq {quote(name)} }})) "
                f"{{ throw {quote(f'no dial plan has the simple name {name}')} }}"
            )
        else:
            notes.append(
                Text(
                    f"{name}: no dial plan needs this name; a suitable site or pool dial plan is enough.",
                    f"{name} : aucun plan n'a besoin de ce nom ; un plan de site ou de pool adapté suffit.",
                )
            )
    title = Text("Configure the voice dial plans", "Configurer les plans de numérotation voix")
    checks = checks or ["Get-CsDialPlan | Format-List -Property @('Identity', 'SimpleName')"]
    return at.step(
        8, "dial-plans", VOICE_SERVERS, title, commands=tuple(commands), checks=tuple(checks), notes=tuple(notes)
    )


def ou_permission(at: LyncSide) -> RunbookStep:
    """Phase 9: the right to create contacts in their OUs."""
    ous = list(dict.fromkeys(contact.ou for contact in at.org.contacts))
    test = "Test-CsOUPermission -ObjectType 'Contact' -OU $ou"
    command = (
        f"foreach ($ou in {array(ous)}) {{\n    if (-not ({test})) {{\n"
        f"        Grant-CsOUPermission -ObjectType 'Contact' -OU $ou {WHATIF}\n    }}\n}}"
    )
    check = f"foreach ($ou in {array(ous)}) {{\n    if (-not ({test})) {{ throw $ou }}\n}}"
    title = Text(
        "The right to create contacts in their OU", "Le droit de créer des contacts dans leur unité d'organisation"
    )
    return at.step(
        9, "ou-permission", DIRECTORY_ADMINS, title, side=Side.DIRECTORY, commands=(command,), checks=(check,)
    )


def contacts(at: LyncSide) -> RunbookStep:
    """Phase 9: contact objects, by OcsUmUtil."""
    utility = _UTILITY.get(at.pools[0].version, "Microsoft Lync Server 2013\\Support\\OcsUmUtil.exe")
    notes = [
        Text(
            f"Start %CommonProgramFiles%\\{utility}, then Load Data.",
            f"Lancez %CommonProgramFiles%\\{utility}, puis Load Data.",
        )
    ]
    for c in at.org.contacts:
        kind = f"Auto Attendant: {c.auto_attendant}" if c.auto_attendant else "Subscriber Access"
        entries = f"Name {c.display_name} | SIP Address sip:{c.sip_address} | Server or Pool {c.pool} | Phone {c.number} | {kind} | OU {c.ou}"
        notes.append(Text(f"{c.um_dial_plan}, Add: {entries}", f"{c.um_dial_plan}, Ajouter (Add) : {entries}"))
    checks = tuple(
        f"if (-not (Get-CsExUmContact | Where-Object {{ $_.SipAddress -eq {quote(f'sip:{c.sip_address}')} "
        f"-and $_.LineURI -eq {quote(f'tel:{c.number}')} }})) {{ throw {quote(f'no contact {c.number}')} }}"
        for c in at.org.contacts
    )
    title = Text("Make the contact objects (OcsUmUtil)", "Créer les objets contact (OcsUmUtil)")
    return at.step(9, "contacts", OCSUMUTIL, title, checks=checks or ("Get-CsExUmContact",), notes=tuple(notes))


def voice(at: LyncSide) -> RunbookStep:
    """Phase 10: trunks, PSTN usages, voice policies, voice routes."""
    org, commands = at.org, []
    for name in org.pstn_usages:
        commands.append(
            f"if ((Get-CsPstnUsage -Identity Global).Usage -notcontains {quote(name)}) {{\n"
            f"    Set-CsPstnUsage -Identity Global -Usage @{{ add = {quote(name)} }} {WHATIF}\n}}"
        )
    for policy in org.voice_policies:
        verb = "Set" if policy.identity == GLOBAL else "New"
        there = f"Get-CsVoicePolicy -Identity {quote(policy.identity)} -ErrorAction SilentlyContinue"
        act = (
            f"{verb}-CsVoicePolicy -Identity {quote(policy.identity)} -PstnUsages {array(policy.pstn_usages)} "
            f"-AllowCallForwarding {flag(policy.allow_call_forwarding)} -AllowSimulRing {flag(policy.allow_simul_ring)} "
            f"-EnableCallTransfer {flag(policy.enable_call_transfer)} {WHATIF}"
        )
        commands.append(act if verb == "Set" else f"if (-not ({there})) {{\n    {act}\n}}")
    for priority, route in enumerate(org.voice_routes):
        gateways = array(f"PstnGateway:{name}" for name in route.pstn_gateways)
        commands.append(
            f"if (-not (Get-CsVoiceRoute -Identity {quote(route.name)} -ErrorAction SilentlyContinue)) {{\n"
            f"    New-CsVoiceRoute -Identity {quote(route.name)} -Priority {priority} -NumberPattern {quote(route.number_pattern)} "
            f"-PstnUsages {array(route.pstn_usages)} -PstnGatewayList {gateways} {WHATIF}\n}}"
        )
    checks = [
        f"Get-CsVoiceRoute -Identity {quote(r.name)} | Format-List -Property @('NumberPattern', 'PstnUsages')"
        for r in org.voice_routes
    ]
    notes = [
        Text(
            f"Topology Builder: PSTN gateway {g.fqdn}, {g.transport} port {g.port}, trunk to the Mediation Server of {g.pool}; publish.",
            f"Topology Builder : passerelle RTC {g.fqdn}, {g.transport} port {g.port}, jonction vers le serveur de médiation de {g.pool}.",
        )
        for g in org.pstn_gateways
    ]
    notes += [Text(f"Further step: {STEPS[f]}", f"Étape supplémentaire : {_FURTHER_FR[f]}") for f in org.voice_features]
    title = Text(
        "Trunks, voice policies, PSTN usages, voice routes",
        "Jonctions, stratégies de voix, utilisations RTC, itinéraires",
    )
    checks = checks or ["Get-CsVoicePolicy | Format-List -Property @('Identity', 'PstnUsages')"]
    return at.step(
        10, "voice", VOICE_SERVERS, title, commands=tuple(commands), checks=tuple(checks), notes=tuple(notes)
    )


def voice_users(at: LyncSide) -> RunbookStep:
    """Phase 10: users enabled for Enterprise Voice."""
    rows = table(row for row in at.rows() if row["Line"])
    command = (
        f"foreach ($row in {rows}) {{\n    $user = Get-CsUser -Identity $row.User\n"
        "    if (-not $user.EnterpriseVoiceEnabled -or $user.LineURI -ne $row.Line) {\n"
        f"        Set-CsUser -Identity $row.User -EnterpriseVoiceEnabled $true -LineURI $row.Line {WHATIF}\n    }}\n"
        f"    if ($row.DialPlan) {{ Grant-CsDialPlan -Identity $row.User -PolicyName $row.DialPlan {WHATIF} }}\n"
        f"    if ($row.Policy) {{ Grant-CsVoicePolicy -Identity $row.User -PolicyName $row.Policy {WHATIF} }}\n}}"
    )
    check = (
        f"foreach ($row in {rows}) {{\n    if ((Get-CsUser -Identity $row.User).LineURI -ne $row.Line) "
        "{ throw ($row.User + ' has not ' + $row.Line) }\n}"
    )
    title = Text("Enable the users for Enterprise Voice", "Activer les utilisateurs pour Voix Entreprise")
    return at.step(10, "users", VOICE_USERS, title, commands=(command,), checks=(check,))


_FURTHER_FR = {
    VoiceFeature.MEDIA_BYPASS: "déviation du trafic multimédia : l'activer globalement et sur chaque jonction",
    VoiceFeature.CALL_ADMISSION_CONTROL: "contrôle d'admission des appels : régions, sites, sous-réseaux, stratégies de bande passante",
    VoiceFeature.E911: "E9-1-1 : base d'emplacements, stratégie d'emplacement, itinéraire vers le service d'urgence",
    VoiceFeature.CALL_PARK: "parcage d'appel : une plage d'orbites par pool, et des stratégies de voix qui l'autorisent",
    VoiceFeature.RESPONSE_GROUPS: "groupes Response Group : agents, files d'attente, flux de travail avec leur URI de ligne",
    VoiceFeature.ANNOUNCEMENTS: "annonces : importer l'audio et affecter les plages de numéros non attribués",
    VoiceFeature.LOCATION_BASED_ROUTING: "routage géodépendant : régions, sites, sous-réseaux, jonctions et stratégies de voix",
    VoiceFeature.REMOTE_USERS: "utilisateurs distants : serveur Edge avec le service A/V Edge, et son adresse pour la messagerie unifiée",
}
