"""Phases 0, 2, 4 and 7 for pools of kind lync: topology, certificates, media encryption, Front-End service."""

from tandem.org.vocabulary import ServerKind
from tandem.process.roles import CERTIFICATES, VOICE_SERVERS
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.lync.side import LyncSide
from tandem.process.runbook.model import UNKNOWN, RunbookStep, Text
from tandem.process.runbook.powershell import quote, unless_whatif


def pools_there(at: LyncSide) -> RunbookStep:
    """Phase 0: the pools are in the topology."""
    checks = tuple(
        f"if (-not (Get-CsPool -Identity {quote(pool.fqdn)})) {{ throw {quote(f'{pool.fqdn} is not in the topology')} }}"
        for pool in at.pools
    )
    notes = [
        Text(
            "Each Front End pool has a collocated Mediation Server, and its topology is published.",
            "Chaque pool Front End a un serveur de médiation colocalisé et sa topologie est publiée.",
        )
    ]
    for forest in at.org.messaging_forests:
        if forest != at.org.voice_forest:
            both = f"{forest} / {at.org.voice_forest}"
            notes.append(Text(f"Trusts both ways: {both}.", f"Relations d'approbation dans les deux sens : {both}."))
    if any(s.kind is ServerKind.TANDEM for s in at.org.messaging_servers):
        notes.append(UNKNOWN)
    title = Text("Check the voice pools", "Vérifier les pools de voix")
    return at.step(0, "pools", VOICE_SERVERS, title, checks=checks, notes=tuple(notes))


def certificates(at: LyncSide) -> RunbookStep:
    """Phase 2: default certificates of the Front End Servers."""
    authority = quote(at.org.certificate_authority) if at.org.certificate_authority else "$CertificateAuthority"
    commands, checks = [], []
    for pool in at.pools:
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
    return at.step(
        2,
        "certificates",
        CERTIFICATES,
        title,
        where=where,
        commands=tuple(commands),
        checks=tuple(checks),
        notes=(note,),
    )


def media(at: LyncSide) -> RunbookStep:
    """Phase 4: the media encryption of the pools."""
    checks = tuple(
        f"$media = Get-CsMediaConfiguration -Identity {quote(f'service:Registrar:{p.fqdn}')} -ErrorAction SilentlyContinue\n"
        "if (-not $media) { $media = Get-CsMediaConfiguration -Identity Global }\n"
        f"if ($media.EncryptionLevel -ne {quote(p.media_encryption)}) {{ throw ({quote(p.fqdn)} + ' has ' + $media.EncryptionLevel) }}"
        for p in at.pools
    )
    title = Text("Check the media encryption of the pools", "Vérifier le chiffrement des médias des pools")
    note = Text(
        "RequireEncryption needs Secured dial plans; SupportEncryption takes SIPSecured or Secured; DoNotSupportEncryption SIPSecured.",
        "RequireEncryption exige Secured ; SupportEncryption accepte SIPSecured ou Secured ; DoNotSupportEncryption SIPSecured.",
    )
    return at.step(4, "media", VOICE_SERVERS, title, checks=checks, notes=(note,))


def front_ends(at: LyncSide) -> RunbookStep:
    """Phase 7: restart of the Front-End service."""
    servers = [name for pool in at.pools for name in (pool.servers or (pool.fqdn,))]
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
    title = Text("Restart the Front-End service after exchucutil", "Redémarrer le service Front-End après exchucutil")
    return at.step(7, "front-end", VOICE_SERVERS, title, commands=commands, checks=checks, notes=(note,))
