"""Phase 2: a certificate for every UM server. Exchange 2007's cmdlets work on their own server only, so each has a step."""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.versions import Generation, generation
from tandem.process.roles import CERTIFICATES
from tandem.process.runbook.exchange.authority import TEMPLATE, answered, trusted_root
from tandem.process.runbook.exchange.forest import SHELLS, ExchangeForest, year
from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.model import RunbookStep, Saved, Shell, Text
from tandem.process.runbook.powershell import array, quote

_TITLE = Text(
    "Install the certificates of the UM servers", "Installer les certificats des serveurs de messagerie unifiée"
)


def certificates(at: ExchangeForest) -> Iterator[RunbookStep]:
    """Requests, imports and checks of certificates."""
    old = [server for server in at.um_servers if generation(server) is Generation.E2007]
    for server in old:
        yield _local(at, server)
    others = [server for server in at.um_servers if server not in old]
    for name, shell, mine in at.split("certificates", others, lambda server: SHELLS[generation(server)]):
        yield _remote(at, name, shell, mine)


def find(server: m.DeclaredMessagingServer) -> str:
    """The certificates of a server that are of an authority, valid, and have its FQDN as subject."""
    on = "" if generation(server) is Generation.E2007 else f" -Server {quote(server.fqdn)}"
    return (
        f"Get-ExchangeCertificate{on} | Where-Object {{ "
        f"($_.Subject -split ', ') -contains {quote(f'CN={server.fqdn}')} -and -not $_.IsSelfSigned -and $_.NotAfter -gt (Get-Date) }}"
    )


def _local(at: ExchangeForest, server: m.DeclaredMessagingServer) -> RunbookStep:
    name = f"certificates-{server.fqdn}"
    return at.step(
        2, name, CERTIFICATES, Text(f"{_TITLE.en}: {server.fqdn}", f"{_TITLE.fr} : {server.fqdn}"),
        shell=Shell.EXCHANGE_2007, server=server.fqdn,
        where=Text(
            f"Exchange Management Shell of {server.fqdn} itself, as its local administrator",
            f"Exchange Management Shell de {server.fqdn} lui-même, comme administrateur local",
        ),
        commands=(_certificate(at, server),), checks=(_check(server), trusted_root(at.org, [server.fqdn])),
        notes=(*_notes(), Text(
            "Exchange 2007: the UM service chooses its certificate when it starts (phase 5); event 1112 names the one that it has chosen.",
            "Exchange 2007 : le service de messagerie unifiée choisit son certificat au démarrage (phase 5) ; l'événement 1112 l'indique.",
        )),
        saves=(Saved("certificates", "Get-ExchangeCertificate | Select-Object -Property @('Thumbprint', 'Subject')"),),
        undo=(
            f"$kept = @({at.kept(2, name, 'certificates')} | ForEach-Object {{ $_.Thumbprint }})\n"
            f"foreach ($certificate in @({find(server)})) {{\n"
            "    if ($kept -notcontains $certificate.Thumbprint) "
            f"{{ Remove-ExchangeCertificate -Thumbprint $certificate.Thumbprint -Confirm:$false {WHATIF} }}\n}}",
        ),
        minutes=15,
    )  # fmt: skip


def _remote(at: ExchangeForest, name: str, shell: Shell, mine: list[m.DeclaredMessagingServer]) -> RunbookStep:
    fqdns = [server.fqdn for server in mine]
    undo = (
        f"$kept = @({at.kept(2, name, 'certificates')} | ForEach-Object {{ $_.Server + ' ' + $_.Thumbprint }})\n"
        + "\n".join(
            f"foreach ($certificate in @({find(server)})) {{\n"
            f"    if ($kept -notcontains ({quote(server.fqdn)} + ' ' + $certificate.Thumbprint)) "
            f"{{ Remove-ExchangeCertificate -Server {quote(server.fqdn)} -Thumbprint $certificate.Thumbprint -Confirm:$false {WHATIF} }}\n}}"
            for server in mine
        )
    )
    return at.step(
        2, name, CERTIFICATES, _TITLE, shell=shell,
        where=Text(
            f"Exchange Management Shell of Exchange {year(shell)}, as local administrator of the servers",
            f"Exchange Management Shell d'Exchange {year(shell)}, comme administrateur local des serveurs",
        ),
        commands=tuple(_certificate(at, server) for server in mine),
        checks=(*(_check(server) for server in mine), trusted_root(at.org, fqdns)),
        notes=(*_notes(), Text(
            "From Exchange 2010 on the cmdlets need a management role of Exchange too: Organization Management or Server Management.",
            "À partir d'Exchange 2010, les applets de commande nécessitent également un rôle de gestion Exchange : Organization Management (Gestion de l'organisation) ou Server Management (Gestion du serveur).",
        )),
        saves=(Saved(
            "certificates",
            f"{array(fqdns)} | ForEach-Object {{ $name = $_; Get-ExchangeCertificate -Server $name | "
            "Select-Object -Property @(@{ Name = 'Server'; Expression = { $name } }, 'Thumbprint', 'Subject') }",
        ),),
        undo=(undo,), minutes=10 + 5 * len(mine),
    )  # fmt: skip


def _notes() -> tuple[Text, ...]:
    return (
        Text(
            "The certificates are for mutual TLS (MTLS) between the servers that run Exchange UM and Lync Server: each proves itself to the other. "
            "The self-signed certificate of Setup does not do that.",
            "Les certificats servent au protocole TLS mutuel (MTLS) entre les serveurs de messagerie unifiée Exchange et Lync Server : chacun "
            "s'authentifie auprès de l'autre. Le certificat auto-signé du programme d'installation n'y suffit pas.",
        ),
        Text(
            "Import the CA's root into Trusted Root Certification Authorities (local computer) of the Exchange servers and of the Lync servers.",
            "Importez le certificat de l'autorité de certification racine dans le magasin Autorités de certification racines de confiance "
            "(ordinateur local) des serveurs Exchange et Lync Server.",
        ),
        Text(
            "Subject = the server's FQDN, no wildcard, never self-signed; several servers in one certificate: all in the SAN.",
            "Le nom du sujet doit être le nom de domaine complet (FQDN) du serveur, sans caractère générique ; aucun certificat auto-signé. "
            "Si un certificat sert à plusieurs serveurs, tous leurs noms figurent dans l'autre nom de l'objet (SAN).",
        ),
        Text(
            f"The request asks for the template {TEMPLATE}: the CA has to issue it to the account that runs this step. The files .req, .id and .cer are in "
            "the current folder; if the request waits for approval, run the step again later: it fetches the certificate.",
            f"La demande utilise le modèle {TEMPLATE} : l'autorité de certification doit le délivrer au compte qui exécute cette étape. Les fichiers .req, "
            ".id et .cer se trouvent dans le dossier actif ; si une demande attend d'être approuvée, exécutez de nouveau l'étape, qui récupère la réponse.",
        ),
    )


def _certificate(at: ExchangeForest, server: m.DeclaredMessagingServer) -> str:
    """Nothing if the certificate is there; else the CA's answer, for a request that is made once, and its import."""
    name, request, answer, number = (quote(f"{server.fqdn}{ending}") for ending in ("", ".req", ".cer", ".id"))
    subject, on = quote(f"CN={server.fqdn}"), f" -Server {name}"
    if generation(server) is Generation.E2007:
        new = (
            f"        New-ExchangeCertificate -GenerateRequest -SubjectName {subject} -DomainName {name} -PrivateKeyExportable $true "
            f"-Path {request} {WHATIF}"
        )
        read = f"        Import-ExchangeCertificate -Path (Resolve-Path {answer}).Path {WHATIF}"
    else:
        new = (
            f"        $text = New-ExchangeCertificate -GenerateRequest{on} -SubjectName {subject} -DomainName {name} -PrivateKeyExportable $true {WHATIF}\n"
            f"        Set-Content -Path {request} -Value $text {WHATIF}"
        )
        read = (
            f"        Import-ExchangeCertificate{on} -FileData ([IO.File]::ReadAllBytes((Resolve-Path {answer}).Path)) "
            f"-PrivateKeyExportable $true {WHATIF}"
        )
    asked = "\n".join(f"        {line}" for line in answered(at.org, request, answer, number).split("\n"))
    return (
        f"if (-not ({find(server)})) {{\n"
        f"    if (-not (Test-Path {request})) {{\n{new}\n    }}\n"
        f"    if (-not (Test-Path {answer})) {{\n{asked}\n    }}\n"
        f"    if (Test-Path {answer}) {{\n{read}\n    }}\n"
        "}"
    )


def _check(server: m.DeclaredMessagingServer) -> str:
    missing = quote(
        f"{server.fqdn}: no certificate of a CA with this subject; after the CA's answer run the step again (for a further one, first remove the files of the last request)"
    )
    return f"if (-not ({find(server)})) {{ throw {missing} }}"
