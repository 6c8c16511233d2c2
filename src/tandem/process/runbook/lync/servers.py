"""Phases 4 and 7 for pools of kind lync: media encryption, and the restart of the Front-End service."""

from tandem.org.vocabulary import PhoneEdition
from tandem.process.roles import ADMINISTRATORS, SERVER_ADMINS, VOICE_SERVERS, any_of
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.fragments import as_text, indented, named, select, site_of, started, um_changed
from tandem.process.runbook.lync.side import LyncSide, PoolVersion, servers_of
from tandem.process.runbook.model import RunbookStep, Saved, Text
from tandem.process.runbook.powershell import quote

FRONT_END_RESTART = any_of((SERVER_ADMINS, ADMINISTRATORS))
"""Stop- and Start-CsWindowsService also need rights on the computer."""
_MINUTES_PER_SERVER = 15
"""A graceful stop waits for calls to end."""
PHONE_EDITION = Text(
    "Lync Phone Edition works only if the dial plan's security agrees with the pools' encryption (RequireEncryption: Secured; "
    "SupportEncryption: SIPSecured or Secured, Secured recommended; DoNotSupportEncryption: SIPSecured).",
    "Pour que les appareils Lync Phone Edition fonctionnent, les paramètres de chiffrement de Lync Server et la sécurité du plan de "
    "numérotation doivent correspondre : RequireEncryption : Secured ; SupportEncryption : SIPSecured ou Secured (recommandé) ; "
    "DoNotSupportEncryption : SIPSecured.",
)


def media(at: LyncSide) -> RunbookStep:
    """Phase 4: the media encryption of the pools: of the site, else global, and of the Mediation Server."""
    checks = []
    for pool in at.pools:
        wanted = quote(pool.media_encryption)
        checks.append(
            f"$site = {site_of(pool.fqdn)}\n"
            f"$media = Get-CsMediaConfiguration | Where-Object {{ {named('$site')} }}\n"
            "if (-not $media) { $media = Get-CsMediaConfiguration -Identity Global }\n"
            f'if ("$($media.EncryptionLevel)" -ne {wanted}) {{ throw ({quote(f"{pool.fqdn} has ")} + $media.EncryptionLevel + {quote(f", declared is {pool.media_encryption}")}) }}\n'
            f"$own = Get-CsMediaConfiguration | Where-Object {{ {named(quote(f'MediationServer:{pool.fqdn}'))} }}\n"
            f'if ($own -and "$($own.EncryptionLevel)" -ne {wanted}) {{ throw ({quote(f"the Mediation Server of {pool.fqdn} has ")} + $own.EncryptionLevel) }}'
        )
    notes = [
        Text(
            "RequireEncryption needs Secured dial plans; SupportEncryption takes SIPSecured or Secured; DoNotSupportEncryption SIPSecured. On a mismatch every call to UM fails.",
            "RequireEncryption exige des plans de numérotation Secured ; SupportEncryption accepte SIPSecured ou Secured ; DoNotSupportEncryption SIPSecured. En cas de discordance, tous les appels vers la messagerie unifiée échouent.",
        ),
        Text(
            "Nothing is changed here: Set-CsMediaConfiguration would change the whole site, or every site (Global).",
            "Rien n'est modifié ici : Set-CsMediaConfiguration modifierait tout le site, ou tous les sites (Global).",
        ),
    ]
    if at.org.phone_edition is not PhoneEdition.NONE:
        notes.append(PHONE_EDITION)
    title = Text("Check the media encryption of the pools", "Vérifier le chiffrement multimédia des pools")
    return at.step(4, "media", VOICE_SERVERS, title, checks=tuple(checks), notes=tuple(notes))


def front_ends(at: LyncSide, version: PoolVersion) -> RunbookStep:
    """Phase 7: restart of the Front-End service where it has not been started since UM was last changed."""
    changed = um_changed(at.exchange_forests) if at.exchange_forests else "$changed = Get-Date"
    restart = (
        f"{started('$name')}\nif ($started -lt $changed) {{\n"
        f"    Stop-CsWindowsService -Name RTCSRV -ComputerName $name -Graceful {WHATIF}\n"
        f"    Start-CsWindowsService -Name RTCSRV -ComputerName $name {WHATIF}\n"
        "    if (-not $WhatIfPreference -and (Get-Service -ComputerName $name -Name RTCSRV).Status -ne 'Running') "
        "{ throw ($name + ': RTCSRV does not run; start it before you go on with the next server') }\n}"
    )
    check = (
        f"{started('$name')}\nif ($started -eq [datetime]::MinValue) {{ throw ($name + ': RTCSRV does not run') }}\n"
        "if ($started -lt $changed) { throw ($name + ': RTCSRV runs since ' + $started + ', UM was changed at ' + $changed) }"
    )
    if not at.exchange_forests:
        check = check.rsplit("\n", 1)[0]
    pools = version.pools
    servers = " + ".join(servers_of(pool) for pool in pools)
    notes = (
        Text(
            "Without a restart the Front-End service sees neither new dial plans nor new UM servers; calls fail (ms-diagnostics 15030).",
            "Sans redémarrage, le service frontal ne détecte ni les nouveaux plans de numérotation ni les nouveaux serveurs ; les appels échouent (ms-diagnostics 15030).",
        ),
        Text(
            "Restart in a maintenance window, in an Enterprise pool one Front End Server at a time: each is drained (-Graceful) and runs again before the next one stops.",
            "Redémarrez dans une fenêtre de maintenance, dans un pool Enterprise un serveur frontal à la fois : chacun est vidé (-Graceful) et fonctionne de nouveau avant l'arrêt du suivant.",
        ),
        Text(
            "You must be a local administrator of the servers, beside RTCUniversalServerAdmins.",
            "Vous devez être administrateur local des serveurs, en plus de RTCUniversalServerAdmins.",
        ),
    )
    title = Text(
        "Restart the Front-End service after exchucutil",
        "Redémarrer le service frontal Lync Server (RTCSRV) après exchucutil",
    )
    count = sum(max(1, len(pool.servers)) for pool in pools)
    return at.step(
        7, f"front-end{version.suffix}", FRONT_END_RESTART, title,
        shell=version.shell, notes=notes,
        commands=(f"{changed}\nforeach ($name in ({servers})) {{\n{indented(restart)}\n}}",),
        checks=(f"{changed}\nforeach ($name in ({servers})) {{\n{indented(check)}\n}}",),
        saves=(Saved("services", f"@(({servers}) | ForEach-Object {{ Get-Service -ComputerName $_ -Name RTCSRV }} | "
                                 f"{select('MachineName', 'Name', as_text('Status'))})"),),
        no_return=Text("A restart cannot be taken back; it changes no setting.",
                       "Un redémarrage est irréversible ; il ne modifie aucun paramètre."),
        minutes=_MINUTES_PER_SERVER * count,
    )  # fmt: skip
