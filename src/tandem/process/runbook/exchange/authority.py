"""PowerShell about the certification authority that requests go to: its address, and whether its root is trusted."""

from collections.abc import Iterable

from tandem.org import model as m
from tandem.process.runbook.powershell import array, quote, unless_whatif

TEMPLATE = "WebServer"
"""The certificate template that is asked for: a single server name as subject, for server authentication."""
_NAMED = "name the certification authority: certificate_authority in the organization's file, or -CertificateAuthority HOST\\NAME"


def authority(org: m.Organization) -> str:
    """Sets ``$authority`` to ``HOST\\NAME``: the declared one, or the script's parameter. An empty one throws."""
    if org.certificate_authority:
        return f"$authority = {quote(org.certificate_authority)}"
    return f"$authority = $CertificateAuthority\nif (-not $authority) {{ throw {quote(_NAMED)} }}"


def answered(org: m.Organization, request: str, answer: str, number: str) -> str:
    """Asks the authority for the request in file ``request``; its certificate is then in file ``answer``.

    A request that the authority holds pending is fetched by its number, which file ``number`` keeps, and not made again.
    certreq's exit code is looked at. Its output is read for the number alone, since its words are localized.
    """
    submit = (
        f"{authority(org)}\n"
        f"if (Test-Path {number}) {{\n"
        f"    $said = & certreq.exe -retrieve -f -q -config $authority (Get-Content {number}) {answer}\n"
        "} else {\n"
        f"    $said = & certreq.exe -submit -f -q -config $authority -attrib 'CertificateTemplate:{TEMPLATE}' {request} {answer}\n"
        "}\n"
        "if ($LASTEXITCODE -ne 0) { throw ('certreq ended with ' + $LASTEXITCODE + ': ' + ($said -join ' ')) }\n"
        '$found = [regex]::Match(($said -join "`n"), \'(?m)^[^:\\r\\n]*:\\s*"?(\\d+)"?\\s*$\')\n'
        f"if ($found.Success) {{ Set-Content -Path {number} -Value $found.Groups[1].Value }}\n"
        f"if (-not (Test-Path {answer})) {{ throw ('the request waits for approval at ' + $authority + '; run this step again afterwards') }}"
    )
    return unless_whatif(f"certreq for {request.strip(chr(39))}", submit)


def trusted_root(org: m.Organization, servers: Iterable[str]) -> str:
    """Throws unless the authority's chain ends at a root that is in Trusted Root of this computer and of these servers."""
    return (
        f"{authority(org)}\n"
        "$name = ($authority -split '\\\\')[-1]\n"
        "$issuer = @(Get-ChildItem -Path @('Cert:\\LocalMachine\\Root', 'Cert:\\LocalMachine\\CA') | "
        "Where-Object { ($_.Subject -split ', ') -contains ('CN=' + $name) })\n"
        "if ($issuer.Count -eq 0) { throw ('no certificate of the authority ' + $name + ' on this computer: import its chain') }\n"
        "$chain = New-Object System.Security.Cryptography.X509Certificates.X509Chain\n"
        "$chain.ChainPolicy.RevocationMode = 'NoCheck'\n"
        "if (-not $chain.Build($issuer[0])) { throw ('the chain of ' + $name + ' does not end at a trusted root on this computer') }\n"
        "$root = $chain.ChainElements[$chain.ChainElements.Count - 1].Certificate.Thumbprint\n"
        f"foreach ($server in {array(servers)}) {{\n"
        "    $store = New-Object System.Security.Cryptography.X509Certificates.X509Store(('\\\\' + $server + '\\Root'), 'LocalMachine')\n"
        "    $store.Open('ReadOnly')\n"
        "    $there = @($store.Certificates | Where-Object { $_.Thumbprint -eq $root }).Count -gt 0\n"
        "    $store.Close()\n"
        "    if (-not $there) { throw ($server + ': the root of ' + $name + ' is not in Trusted Root Certification Authorities') }\n"
        "}"
    )
