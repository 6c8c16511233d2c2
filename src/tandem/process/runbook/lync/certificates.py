"""Phase 2 for pools of kind lync: the certificate of each server of a pool, one step per pool.

Get-, Request- and Set-CsCertificate work on the computer that they run on: a step runs on each server of its pool, changes
nothing elsewhere, and its check refuses another computer. Request-CsCertificate is asked for the computer and adds pool and
web names by the topology; it returns nothing useful, so the certificate is found by its friendly name.
"""

from tandem.org import model as m
from tandem.org.vocabulary import PoolType
from tandem.process.roles import CERTIFICATES
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.fragments import as_text, select, started
from tandem.process.runbook.lync.side import SHELLS, LyncSide, servers_of, version_of
from tandem.process.runbook.model import RunbookStep, Saved, Text
from tandem.process.runbook.powershell import array, quote, restored

_HERE = "$here = ([System.Net.Dns]::GetHostEntry('')).HostName"
_WEB = ("WebServicesInternal", "WebServicesExternal")


def certificates(at: LyncSide, pool: m.DeclaredVoicePool) -> RunbookStep:
    """The certificates of one pool's servers."""
    name = f"certificates-{pool.fqdn}"
    listed = ", ".join(pool.servers or (pool.fqdn,))
    only = (
        pool.fqdn if pool.pool_type is PoolType.STANDARD_EDITION else pool.servers[0] if len(pool.servers) == 1 else ""
    )
    title = Text(f"Certificates of the servers of {pool.fqdn}", f"Certificats des serveurs de {pool.fqdn}")
    return at.step(
        2, name, CERTIFICATES, title,
        shell=SHELLS[version_of(pool)],
        where=Text(f"each server of the pool ({listed}), as its local administrator",
                   f"chaque serveur du pool ({listed}), en tant qu'administrateur local"),
        server=only,
        commands=(_request(at, pool),),
        checks=(_check(pool),),
        notes=_notes(pool),
        saves=(Saved("certificates", _SAVED),),
        undo=(_undo(at.id(2, name)),),
        minutes=20 * max(1, len(pool.servers)),
    )  # fmt: skip


_SAVED = f"@(Get-CsCertificate | {select(as_text('Use'), 'Thumbprint', 'Subject', 'NotAfter')})"


def _notes(pool: m.DeclaredVoicePool) -> tuple[Text, ...]:
    return (
        Text(
            "The UM servers and Lync Server know each other by these certificates (mutual TLS).",
            "Les serveurs de messagerie unifiée et Lync Server s'authentifient mutuellement par ces certificats (MTLS).",
        ),
        Text(
            f"On each server: subject = {pool.fqdn}, SAN = the pool's and the server's FQDN, no wildcard, issued by an authority that Exchange trusts.",
            f"Sur chaque serveur : nom du sujet = {pool.fqdn}, autre nom de l'objet (SAN) = noms de domaine complets du pool et du serveur, sans caractère générique, émis par une autorité de certification approuvée par Exchange.",
        ),
        Text(
            "The web services get the same certificate only where they share it with the Default one today, or have none.",
            "Les services web ne reçoivent ce certificat que s'ils partagent déjà le certificat par défaut ou n'en ont aucun.",
        ),
        Text(
            "If the authority holds the request, approve it and run the step again: the answer is retrieved, no second request is made.",
            "Si l'autorité met la demande en attente, approuvez-la et exécutez de nouveau l'étape : la réponse est récupérée, aucune seconde demande n'est créée.",
        ),
        Text(
            "Lync Server reads a certificate when its services start: restart them in a maintenance window; the restart of 7/lync-front-end does it too.",
            "Lync Server lit un certificat au démarrage de ses services : redémarrez-les dans une fenêtre de maintenance ; le redémarrage de 7/lync-front-end convient aussi.",
        ),
    )


def _held(pool: m.DeclaredVoicePool) -> str:
    """The valid Default certificate of this computer for this pool."""
    return (
        "Get-CsCertificate -Type Default -ErrorAction SilentlyContinue | Where-Object { "
        f"($_.Subject -split ', ') -contains {quote(f'CN={pool.fqdn}')} -and $_.Issuer -ne $_.Subject -and $_.NotAfter -gt (Get-Date) "
        f"-and $_.AlternativeNames -contains {quote(pool.fqdn)} -and $_.AlternativeNames -contains $here }}"
    )


def _friendly(pool: m.DeclaredVoicePool) -> str:
    return quote(f"{pool.fqdn} default")


def _request(at: LyncSide, pool: m.DeclaredVoicePool) -> str:
    authority = quote(at.org.certificate_authority) if at.org.certificate_authority else "$CertificateAuthority"
    names = quote(",".join(dict.fromkeys((pool.fqdn, *pool.servers))))
    names = names if pool.servers or pool.pool_type is PoolType.STANDARD_EDITION else f"({names} + ',' + $here)"
    web = array(()) if pool.pool_type is PoolType.BRANCH else array(_WEB)
    stored = (
        f"Get-ChildItem -Path 'Cert:\\LocalMachine\\My' | Where-Object {{ $_.FriendlyName -eq {_friendly(pool)} -and $_.NotAfter -gt (Get-Date) }} | "
        "Sort-Object -Property NotBefore | Select-Object -Last 1"
    )
    return f"""{_HERE}
if ({servers_of(pool)} -notcontains $here) {{
    Write-Warning ({quote(f"nothing is done: not a server of {pool.fqdn}: ")} + $here)
}} elseif (-not ({_held(pool)})) {{
    $default = Get-CsCertificate -Type Default -ErrorAction SilentlyContinue
    $types = @('Default')
    foreach ($type in {web}) {{
        $used = Get-CsCertificate -Type $type -ErrorAction SilentlyContinue
        if (-not $used -or ($default -and $used.Thumbprint -eq $default.Thumbprint)) {{ $types += $type }}
    }}
    $made = {stored}
    $asked = @(Get-ChildItem -Path 'Cert:\\LocalMachine\\REQUEST' | Where-Object {{ ($_.Subject -split ', ') -contains {quote(f"CN={pool.fqdn}")} }})
    if (-not $made -and $asked.Count -gt 0) {{
        Request-CsCertificate -Retrieve {WHATIF}
    }} elseif (-not $made) {{
        $authority = {authority}
        if (-not $authority -and -not $WhatIfPreference) {{ throw 'give -CertificateAuthority HOST\\NAME' }}
        Request-CsCertificate -New -Type $types -ComputerFqdn $here -CA $authority -FriendlyName {_friendly(pool)} -DomainName {names} {WHATIF}
    }}
    $made = {stored}
    if ($made) {{
        Set-CsCertificate -Type $types -Thumbprint $made.Thumbprint {WHATIF}
    }} elseif (-not $WhatIfPreference) {{
        throw 'the authority has not answered yet: approve the request, then run this step again'
    }}
}}"""


def _check(pool: m.DeclaredVoicePool) -> str:
    return f"""{_HERE}
if ({servers_of(pool)} -notcontains $here) {{ throw ({quote(f"run this step on the servers of {pool.fqdn}; this is ")} + $here) }}
$held = {_held(pool)}
if (-not $held) {{ throw {quote(f"no valid Default certificate with subject {pool.fqdn}, the pool and this server in its SAN")} }}
{started("$here")}
if ($started -lt $held.NotBefore) {{ Write-Warning 'RTCSRV was started before this certificate was made and does not use it before a restart' }}"""


def _undo(step: str) -> str:
    uses = array(("Default", *_WEB))
    return (
        f"foreach ($old in {restored(step, 'certificates')}) {{\n    if ({uses} -contains $old.Use) {{\n"
        "        $now = Get-CsCertificate -Type $old.Use -ErrorAction SilentlyContinue\n"
        f"        if (-not $now -or $now.Thumbprint -ne $old.Thumbprint) {{ Set-CsCertificate -Type $old.Use -Thumbprint $old.Thumbprint {WHATIF} }}\n"
        "    }\n}"
    )
