"""Runbook steps for pools of kind lync: phases 0, 2, 4, 6 to 10, in Lync Server Management Shell.

OcsUmUtil.exe is a program with windows: its step lists what to enter, and its check reads the contacts. Topology Builder
is one too: PSTN gateways are listed. Everything else is a cmdlet that first looks whether it has anything to do.
"""

from collections.abc import Iterator
from typing import Any

from tandem.org import model as m
from tandem.org.numbers import phone_context
from tandem.org.versions import names_must_match
from tandem.org.vocabulary import GLOBAL, PoolKind, ServerKind, VoiceFeature
from tandem.process.phases import PHASES, Side
from tandem.process.roles import CERTIFICATES, DIRECTORY_ADMINS, OCSUMUTIL, VOICE_SERVERS, VOICE_USERS, Requirement
from tandem.process.runbook.exchange import UNKNOWN
from tandem.process.runbook.further import STEPS
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.model import RunbookStep, Text
from tandem.process.runbook.powershell import array, flag, quote, table, unless_whatif

_SHELL = Text(
    "Lync Server Management Shell, on a Front End Server", "Lync Server Management Shell, sur un serveur Front End"
)
_UTILITY = {
    "2010": "Microsoft Lync Server 2010\\Support\\OcsUmUtil.exe",
    "2015": "Skype for Business Server 2015\\Support\\OcsUMUtil.exe",
}
"""Below %CommonProgramFiles%, by the pool's version."""


class LyncSide:
    """The pools of kind lync, and the steps for them."""

    def __init__(self, org: m.Organization) -> None:
        self._org = org
        self._pools = org.pools_of(PoolKind.LYNC)
        self._fqdns = {pool.fqdn for pool in self._pools}

    def steps(self) -> Iterator[RunbookStep]:
        """Every step, in the order of the phases."""
        yield self._pools_there()
        yield self._users("0", "users", "users enabled for Lync", "utilisateurs activés pour Lync", mend=False)
        yield self._certificates()
        yield self._media()
        yield self._users("6", "sip-addresses", "SIP addresses that differ", "adresses SIP qui diffèrent", mend=True)
        yield self._front_ends()
        yield self._dial_plans()
        yield self._ou_permission()
        yield self._contacts()
        yield self._voice()
        yield self._voice_users()

    def _step(self, number: int, name: str, required: Requirement, title: Text, **more: Any) -> RunbookStep:
        more.setdefault("where", _SHELL)
        more.setdefault("side", Side.VOICE)
        return RunbookStep(
            id=f"{number}/lync-{name}",
            phase=PHASES[number],
            required=required,
            forest=self._org.voice_forest,
            title=title,
            **more,
        )

    def _pools_there(self) -> RunbookStep:
        checks = tuple(
            f"if (-not (Get-CsPool -Identity {quote(pool.fqdn)})) {{ throw {quote(f'{pool.fqdn} is not in the topology')} }}"
            for pool in self._pools
        )
        notes = [
            Text(
                "Each Front End pool has a collocated Mediation Server, and its topology is published.",
                "Chaque pool Front End a un serveur de médiation colocalisé et sa topologie est publiée.",
            )
        ]
        for forest in self._org.messaging_forests:
            if forest != self._org.voice_forest:
                both = f"{forest} / {self._org.voice_forest}"
                notes.append(
                    Text(f"Trusts both ways: {both}.", f"Relations d'approbation dans les deux sens : {both}.")
                )
        if any(s.kind is ServerKind.TANDEM for s in self._org.messaging_servers):
            notes.append(UNKNOWN)
        title = Text("Check the voice pools", "Vérifier les pools de voix")
        return self._step(0, "pools", VOICE_SERVERS, title, checks=checks, notes=tuple(notes))

    def _rows(self) -> list[dict[str, str]]:
        users = [user for user in self._org.users if user.sip_address and user.pool in self._fqdns]
        return [
            {"User": u.account, "Sip": f"sip:{u.sip_address}", "Pool": u.pool, "Line": u.line_uri,
             "DialPlan": u.voice_dial_plan, "Policy": u.voice_policy}
            for u in users
        ]  # fmt: skip

    def _users(self, number: str, name: str, en: str, fr: str, *, mend: bool) -> RunbookStep:
        missing = "-not $user" if not mend else "$user -and $user.SipAddress -ne $row.Sip"
        act = (
            f"Enable-CsUser -Identity $row.User -RegistrarPool $row.Pool -SipAddress $row.Sip {WHATIF}"
            if not mend
            else f"Set-CsUser -Identity $row.User -SipAddress $row.Sip {WHATIF}"
        )
        loop = f"foreach ($row in {table(self._rows())}) {{\n    $user = Get-CsUser -Identity $row.User -ErrorAction SilentlyContinue\n"
        command = f"{loop}    if ({missing}) {{\n        {act}\n    }}\n}}"
        check = f"{loop}    if ({missing}) {{ throw ($row.User + ': ' + $row.Sip) }}\n}}"
        title = Text(en.capitalize(), fr.capitalize())
        return self._step(int(number), name, VOICE_USERS, title, commands=(command,), checks=(check,))

    def _certificates(self) -> RunbookStep:
        authority = (
            quote(self._org.certificate_authority) if self._org.certificate_authority else "$CertificateAuthority"
        )
        commands, checks = [], []
        for pool in self._pools:
            names = ",".join((pool.fqdn, *(s for s in pool.servers if s != pool.fqdn)))
            find = (
                "Get-CsCertificate -Type Default -ErrorAction SilentlyContinue | Where-Object { "
                f"($_.Subject -split ', ') -contains {quote(f'CN={pool.fqdn}')} -and $_.NotAfter -gt (Get-Date) }}"
            )
            commands.append(
                f"if (-not ({find})) {{\n    $made = Request-CsCertificate -New -Type Default -CA {authority} "
                f"-FriendlyName {quote(f'{pool.fqdn} default')} -DomainName {quote(names)} {WHATIF}\n"
                f"    if ($made) {{ Set-CsCertificate -Type Default -Thumbprint $made.Thumbprint {WHATIF} }}\n}}"
            )
            checks.append(f"if (-not ({find})) {{ throw {quote(f'no default certificate with subject {pool.fqdn}')} }}")
        note = Text(
            "On each server of a pool: subject = the pool's FQDN, SAN = pool and server FQDNs, no wildcard, a CA that UM trusts.",
            "Sur chaque serveur d'un pool : sujet = nom du pool, SAN = noms du pool et des serveurs, sans caractère générique.",
        )
        title = Text("Certificates of the Front End Servers", "Certificats des serveurs Front End")
        where = Text(
            "each Front End Server, as its local administrator", "chaque serveur Front End, comme administrateur local"
        )
        return self._step(
            2,
            "certificates",
            CERTIFICATES,
            title,
            where=where,
            commands=tuple(commands),
            checks=tuple(checks),
            notes=(note,),
        )

    def _media(self) -> RunbookStep:
        checks = tuple(
            f"$media = Get-CsMediaConfiguration -Identity {quote(f'service:Registrar:{p.fqdn}')} -ErrorAction SilentlyContinue\n"
            "if (-not $media) { $media = Get-CsMediaConfiguration -Identity Global }\n"
            f"if ($media.EncryptionLevel -ne {quote(p.media_encryption)}) {{ throw ({quote(p.fqdn)} + ' has ' + $media.EncryptionLevel) }}"
            for p in self._pools
        )
        title = Text("Check the media encryption of the pools", "Vérifier le chiffrement des médias des pools")
        note = Text(
            "RequireEncryption needs Secured dial plans; SupportEncryption takes SIPSecured or Secured; DoNotSupportEncryption SIPSecured.",
            "RequireEncryption exige Secured ; SupportEncryption accepte SIPSecured ou Secured ; DoNotSupportEncryption SIPSecured.",
        )
        return self._step(4, "media", VOICE_SERVERS, title, checks=checks, notes=(note,))

    def _front_ends(self) -> RunbookStep:
        servers = [name for pool in self._pools for name in (pool.servers or (pool.fqdn,))]
        commands = tuple(
            unless_whatif(
                f"restart RTCSRV on {name}",
                f"Stop-CsWindowsService -Name RTCSRV -ComputerName {quote(name)} -Graceful\n"
                f"Start-CsWindowsService -Name RTCSRV -ComputerName {quote(name)}",
            )
            for name in servers
        )
        checks = tuple(
            f"if ((Get-Service -ComputerName {quote(name)} -Name RTCSRV).Status -ne 'Running') {{ throw {quote(f'{name}: RTCSRV')} }}"
            for name in servers
        )
        note = Text(
            "Without it the Front-End service does not see new dial plans and UM servers: calls fail with 15030.",
            "Sans cela le service Front-End ne voit ni les plans ni les serveurs nouveaux : les appels échouent (15030).",
        )
        title = Text(
            "Restart the Front-End service after exchucutil", "Redémarrer le service Front-End après exchucutil"
        )
        return self._step(7, "front-end", VOICE_SERVERS, title, commands=commands, checks=checks, notes=(note,))

    def _dial_plans(self) -> RunbookStep:
        commands = []
        for plan in self._org.voice_dial_plans:
            identity = quote(plan.identity)
            if plan.identity != GLOBAL:
                commands.append(
                    f"if (-not (Get-CsDialPlan -Identity {identity} -ErrorAction SilentlyContinue)) {{\n"
                    f"    New-CsDialPlan -Identity {identity} -SimpleName {quote(plan.simple_name)} {WHATIF}\n}}"
                )
            for priority, rule in enumerate(plan.normalization_rules):
                at = quote(f"{plan.identity}/{rule.name}")
                commands.append(
                    f"if (-not (Get-CsVoiceNormalizationRule -Identity {at} -ErrorAction SilentlyContinue)) {{\n"
                    f"    New-CsVoiceNormalizationRule -Identity {at} -Priority {priority} -Pattern {quote(rule.pattern)} "
                    f"-Translation {quote(rule.translation)} -IsInternalExtension {flag(rule.is_internal_extension)} {WHATIF}\n}}"
                )
        checks, notes = [], []
        for um in self._org.um_dial_plans:
            name = phone_context(um.name, um.forest)
            servers = self._org.servers_of(um)
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
        return self._step(
            8, "dial-plans", VOICE_SERVERS, title, commands=tuple(commands), checks=tuple(checks), notes=tuple(notes)
        )

    def _ou_permission(self) -> RunbookStep:
        ous = list(dict.fromkeys(contact.ou for contact in self._org.contacts))
        test = "Test-CsOUPermission -ObjectType 'Contact' -OU $ou"
        command = (
            f"foreach ($ou in {array(ous)}) {{\n    if (-not ({test})) {{\n"
            f"        Grant-CsOUPermission -ObjectType 'Contact' -OU $ou {WHATIF}\n    }}\n}}"
        )
        check = f"foreach ($ou in {array(ous)}) {{\n    if (-not ({test})) {{ throw $ou }}\n}}"
        title = Text(
            "The right to create contacts in their OU", "Le droit de créer des contacts dans leur unité d'organisation"
        )
        return self._step(
            9, "ou-permission", DIRECTORY_ADMINS, title, side=Side.DIRECTORY, commands=(command,), checks=(check,)
        )

    def _contacts(self) -> RunbookStep:
        utility = _UTILITY.get(self._pools[0].version, "Microsoft Lync Server 2013\\Support\\OcsUmUtil.exe")
        notes = [
            Text(
                f"Start %CommonProgramFiles%\\{utility}, then Load Data.",
                f"Lancez %CommonProgramFiles%\\{utility}, puis Load Data.",
            )
        ]
        for c in self._org.contacts:
            kind = f"Auto Attendant: {c.auto_attendant}" if c.auto_attendant else "Subscriber Access"
            entries = f"Name {c.display_name} | SIP Address sip:{c.sip_address} | Server or Pool {c.pool} | Phone {c.number} | {kind} | OU {c.ou}"
            notes.append(Text(f"{c.um_dial_plan}, Add: {entries}", f"{c.um_dial_plan}, Ajouter (Add) : {entries}"))
        checks = tuple(
            f"if (-not (Get-CsExUmContact | Where-Object {{ $_.SipAddress -eq {quote(f'sip:{c.sip_address}')} "
            f"-and $_.LineURI -eq {quote(f'tel:{c.number}')} }})) {{ throw {quote(f'no contact {c.number}')} }}"
            for c in self._org.contacts
        )
        title = Text("Make the contact objects (OcsUmUtil)", "Créer les objets contact (OcsUmUtil)")
        return self._step(9, "contacts", OCSUMUTIL, title, checks=checks or ("Get-CsExUmContact",), notes=tuple(notes))

    def _voice(self) -> RunbookStep:
        org, commands = self._org, []
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
        notes += [
            Text(f"Further step: {STEPS[f]}", f"Étape supplémentaire : {_FURTHER_FR[f]}") for f in org.voice_features
        ]
        title = Text(
            "Trunks, voice policies, PSTN usages, voice routes",
            "Jonctions, stratégies de voix, utilisations RTC, itinéraires",
        )
        checks = checks or ["Get-CsVoicePolicy | Format-List -Property @('Identity', 'PstnUsages')"]
        return self._step(
            10, "voice", VOICE_SERVERS, title, commands=tuple(commands), checks=tuple(checks), notes=tuple(notes)
        )

    def _voice_users(self) -> RunbookStep:
        rows = table(row for row in self._rows() if row["Line"])
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
        return self._step(10, "users", VOICE_USERS, title, commands=(command,), checks=(check,))


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
