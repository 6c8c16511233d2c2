"""What a script looks at first: whether this is its shell, of its version, in its forest. It throws before anything else."""

from collections.abc import Iterator

from tandem.process.runbook.model import Language, Shell, Text
from tandem.process.runbook.powershell import quote
from tandem.process.runbook.writing.words import SHELLS

_EXCHANGE = {
    Shell.EXCHANGE_2007: r"^Version 8\.",
    Shell.EXCHANGE_2010: r"^Version 14\.",
    Shell.EXCHANGE_2013: r"^Version 15\.0 ",
    Shell.EXCHANGE_2016: r"^Version 15\.1 ",
}
"""AdminDisplayVersion of this computer: ``Version 15.0 (Build 1497.2)``."""
_LYNC = {Shell.LYNC_2010: r"\(4\.", Shell.LYNC_2013: r"\(5\.", Shell.SKYPE_2015: r"\(6\."}
"""What Get-CsServerVersion says of this computer: ``Microsoft Lync Server 2013 (5.0.8308.0): ...``."""
_WRONG_SHELL = Text("Wrong shell. Run this script in:", "Mauvais environnement. Exécutez ce script dans :")
_WRONG_FOREST = Text("Wrong forest. This script is for", "Mauvaise forêt. Ce script est destiné à")


def guard(forest: str, shell: Shell, language: Language) -> Iterator[str]:
    """Lines that throw in any other shell or forest."""
    wrong_shell = quote(f"{_WRONG_SHELL.of(language)} {SHELLS[shell].of(language)}")
    wrong_forest = quote(f"{_WRONG_FOREST.of(language)} {forest}")
    if shell in _EXCHANGE:
        end = ",CN=Configuration," + ",".join(f"DC={part}" for part in forest.split("."))
        yield f"if (-not (Get-Command -Name 'Get-ExchangeServer' -ErrorAction SilentlyContinue)) {{ throw {wrong_shell} }}"
        yield '$organization = "$((Get-OrganizationConfig).DistinguishedName)"'
        yield f"if (-not $organization.EndsWith({quote(end)}, [System.StringComparison]::OrdinalIgnoreCase)) {{ throw {wrong_forest} }}"
        yield "$computer = Get-ExchangeServer -Identity $env:COMPUTERNAME -ErrorAction SilentlyContinue"
        yield f'if (-not $computer -or "$($computer.AdminDisplayVersion)" -notmatch {quote(_EXCHANGE[shell])}) {{ throw {wrong_shell} }}\n'
        return
    yield "$current = [System.DirectoryServices.ActiveDirectory.Forest]::GetCurrentForest().Name"
    yield f"if ($current -ne {quote(forest)}) {{ throw {wrong_forest} }}"
    if shell in _LYNC:
        yield f"if (-not (Get-Command -Name 'Get-CsServerVersion' -ErrorAction SilentlyContinue)) {{ throw {wrong_shell} }}"
        yield f'if ("$(Get-CsServerVersion)" -notmatch {quote(_LYNC[shell])}) {{ throw {wrong_shell} }}'
    yield ""
