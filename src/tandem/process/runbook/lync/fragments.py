"""Pieces of PowerShell that several steps for Lync Server share. PowerShell 2 runs them (Lync Server 2010).

They work in strict mode: a property that may be absent is read through Select-Object, a list through ``@()``.
"""

from collections.abc import Iterable

from tandem.process.runbook.gateways import WHATIF
from tandem.process.runbook.powershell import array, quote

IDENTITY = "@{ Name = 'Identity'; Expression = { \"$($_.Identity)\" -replace '^(Tag|Service):', '' } }"
"""A column for Select-Object: an identity as it is declared, ``Main`` for ``Tag:Main``."""


def select(*columns: str) -> str:
    """Select-Object for some properties: a name, or a hash table for one that is computed. What is absent is null."""
    listed = ", ".join(each if each.startswith("@{") else quote(each) for each in columns)
    return f"Select-Object -Property @({listed})"


def as_text(name: str) -> str:
    """A column for :func:`select`: a property as text."""
    return f'@{{ Name = {quote(name)}; Expression = {{ "$($_.{name})" }} }}'


def indented(block: str, by: int = 4) -> str:
    """A block, each line moved to the right."""
    return "\n".join(" " * by + line for line in block.split("\n"))


def texts(expression: str) -> str:
    """A list as an array of strings, without what is null."""
    return f'@({expression} | Where-Object {{ $_ }} | ForEach-Object {{ "$_" }})'


def site_of(pool: str) -> str:
    """The identity ``site:NAME`` of the site that a pool is in."""
    return f"('site:' + (\"$((Get-CsPool -Identity {quote(pool)}).Site)\" -replace '^Site:', ''))"


def named(identity: str) -> str:
    """A condition for Where-Object: the object has this identity, with the scope's prefix or without."""
    return f"(\"$($_.Identity)\" -replace '^(Tag|Service):', '') -eq {identity}"


def started(name: str, service: str = "RTCSRV") -> str:
    """Sets ``$started``: when the service of a computer was started, ``[datetime]::MinValue`` if it does not run.

    ``name`` is an expression.
    """
    return (
        "$started = [datetime]::MinValue\n"
        f"$service = Get-WmiObject -Class Win32_Service -ComputerName {name} -Filter \"Name='{service}'\"\n"
        "if ($service -and $service.ProcessId -gt 0) {\n"
        f'    $process = Get-WmiObject -Class Win32_Process -ComputerName {name} -Filter "ProcessId=$($service.ProcessId)"\n'
        "    $started = [System.Management.ManagementDateTimeConverter]::ToDateTime($process.CreationDate)\n}"
    )


def um_changed(forests: Iterable[str]) -> str:
    """Sets ``$changed``: when a UM dial plan, UM IP gateway or hunt group of these forests was last changed.

    The containers' names are public (Exchange's permissions reference); nothing of Exchange's schema is needed. Throws if
    they cannot be read, which exchucutil allows.
    """
    return f"""$changed = [datetime]::MinValue
foreach ($forest in {array(forests)}) {{
    $directory = New-Object System.DirectoryServices.DirectoryEntry("LDAP://$forest/RootDSE")
    $configuration = $directory.Properties['configurationNamingContext'][0]
    $exchange = New-Object System.DirectoryServices.DirectoryEntry("LDAP://$forest/CN=Microsoft Exchange,CN=Services,$configuration")
    $finder = New-Object System.DirectoryServices.DirectorySearcher($exchange, '(|(cn=UM DialPlan Container)(cn=UM IPGateway Container))')
    $containers = @($finder.FindAll())
    if ($containers.Count -eq 0 -and -not $WhatIfPreference) {{ throw ('the UM objects of ' + $forest + ' cannot be read: exchucutil comes first') }}
    foreach ($container in $containers) {{
        $finder = New-Object System.DirectoryServices.DirectorySearcher($container.GetDirectoryEntry(), '(objectClass=*)')
        $finder.PageSize = 500
        foreach ($entry in @($finder.FindAll())) {{
            $when = ([datetime]::SpecifyKind($entry.Properties['whenchanged'][0], 'Utc')).ToLocalTime()
            if ($when -gt $changed) {{ $changed = $when }}
        }}
    }}
}}"""


def search(path: str, ldap_filter: str) -> str:
    """Sets ``$finder``, whose FindAll gives all pages. ``path`` is an expression, ``ldap_filter`` a literal's text."""
    return (
        f"$finder = New-Object System.DirectoryServices.DirectorySearcher((New-Object System.DirectoryServices.DirectoryEntry({path})), "
        f"{quote(ldap_filter)})\n$finder.PageSize = 500"
    )


def replace_list(cmdlet: str, identity: str, parameter: str, current: str, wanted: str) -> str:
    """Gives a list property its former values. An empty list cannot replace: what is there is removed then.

    ``identity``, ``current`` and ``wanted`` are expressions, the last two arrays of strings.
    """
    return (
        f"$now = {current}\n$then = {wanted}\n"
        "if (($now -join ';') -ne ($then -join ';')) {\n"
        f"    if ($then.Count -gt 0) {{ {cmdlet} -Identity {identity} -{parameter} @{{ replace = $then }} {WHATIF} }}\n"
        f"    else {{ {cmdlet} -Identity {identity} -{parameter} @{{ remove = $now }} {WHATIF} }}\n}}"
    )
