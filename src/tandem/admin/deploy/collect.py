"""Collectors: the read-only scripts that say what there is on Exchange and Lync servers."""

import re
from pathlib import Path

from tandem.org.load import require_organization
from tandem.process.errors import ProcessError
from tandem.process.observing.collecting.script import CollectorScript, Side, collectors
from tandem.process.observing.format import SHELLS

_DNS_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


def collect(side: Side, *, file: Path | None = None, forest: str = "", shell: str = "") -> tuple[CollectorScript, ...]:
    """The collectors of one side.

    Args:
        side: ``exchange`` or ``lync``.
        file: the organization file: a collector per forest and shell that it declares. ``None``: only that of ``shell``.
        forest: only those of this forest; without ``file``: the only one that the script runs in.
        shell: only those of this shell.

    Raises:
        ProcessError: there is none, the shell is not of the side, or the forest is no DNS name.
    """
    if shell and shell not in SHELLS[side]:
        raise ProcessError(f"the shell {shell} is not of {side}: expected {', '.join(SHELLS[side])}")
    if forest and not _DNS_NAME.fullmatch(forest):
        raise ProcessError(f"the forest {forest!r} is no DNS name: expected one such as contoso.com")
    if file is None:
        if not shell:
            raise ProcessError(f"without an organization file --shell is needed: {', '.join(SHELLS[side])}")
        return (CollectorScript(shell=shell, forest=forest.lower()),)
    declared = collectors(require_organization(file), side)
    wanted = tuple(
        each
        for each in declared
        if (not forest or each.forest == forest.lower()) and (not shell or each.shell == shell)
    )
    if not wanted:
        there = ", ".join(f"{each.shell} in {each.forest}" for each in declared) or "none"
        raise ProcessError(f"{file} declares no such {side} servers; there are: {there}")
    return wanted
