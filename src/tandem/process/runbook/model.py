"""A runbook's steps as values. Texts are in English and French; commands are PowerShell, the same in both."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from tandem.process.phases import Phase, Side
from tandem.process.roles import Requirement

Language = Literal["en", "fr"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages."""

    en: str
    fr: str

    def of(self, language: Language) -> str:
        """In one of them."""
        return self.fr if language == "fr" else self.en


class Shell(StrEnum):
    """The shell that a step's commands are for. A script is for one shell of one forest."""

    EXCHANGE_2007 = "exchange-2007"
    EXCHANGE_2010 = "exchange-2010"
    EXCHANGE_2013 = "exchange-2013"
    EXCHANGE_2016 = "exchange-2016"
    LYNC_2010 = "lync-2010"
    LYNC_2013 = "lync-2013"
    SKYPE_2015 = "skype-2015"
    WINDOWS = "windows"
    """PowerShell without a product's cmdlets, for directory administrators."""


@dataclass(frozen=True, slots=True)
class DocumentationLink:
    """A page of Microsoft's documentation. ``about`` says for which product and version: ``Exchange 2010``."""

    about: str
    url: str


@dataclass(frozen=True, slots=True)
class StepTable:
    """Rows that lie as a CSV file (UTF-8 with a byte order mark) beside the script, which reads it by Import-Csv."""

    file: str
    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a step keeps before it changes anything: the value of an expression, as ``STEP-NAME.xml`` (Export-Clixml).

    What is kept already is not overwritten: the file tells how it was before the step ran first. See :func:`saved_file`.
    """

    name: str
    expression: str


def file_stem(step: str) -> str:
    """A step's id as part of a file's name: ``3/exchange-dial-plans`` is ``3_exchange-dial-plans``."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", step)


def saved_file(step: str, name: str) -> str:
    """The file in the folder ``$saved`` that holds what a step has kept under a name."""
    return f"{file_stem(step)}-{name}.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookStep:
    """One step.

    ``commands`` and ``checks`` are blocks of PowerShell that may be run again and again; a check throws where the result
    is not there. ``where`` is the shell or server that they run in, ``server`` the only machine that they can run on, if
    there is one. ``typed`` is what a person does in a program that a script cannot drive: the script shows it and waits for
    a typed yes. ``saves`` is kept before the first command, and ``undo`` backs the step out with it; ``no_return`` says
    why there is no way back. ``minutes`` is an estimate. ``tables`` are read by ``commands`` and ``checks``.
    """

    id: str
    phase: Phase
    side: Side
    required: Requirement
    forest: str
    shell: Shell
    where: Text
    title: Text
    server: str = ""
    commands: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    typed: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()
    saves: tuple[Saved, ...] = ()
    undo: tuple[str, ...] = ()
    no_return: Text | None = None
    minutes: int = 5
    tables: tuple[StepTable, ...] = ()
    links: tuple[DocumentationLink, ...] = ()

    @property
    def digest(self) -> str:
        """Identifies the step as it is now: a confirmation of another text is void."""
        rows = (f"{table.file}{dict(row)}" for table in self.tables for row in table.rows)
        said = (
            self.id,
            self.server,
            *self.commands,
            *self.checks,
            *(each.en for each in (*self.typed, *self.notes)),
            *rows,
        )
        return hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]


UNKNOWN = Text(
    "Calls between Tandem and Microsoft servers were never tried with Microsoft's: docs/protocols/mixed.md says what each side "
    "sends and expects, and what is not known.",
    "Les appels entre Tandem et les serveurs de Microsoft n'ont jamais été essayés avec ceux de Microsoft : "
    "docs/protocols/mixed.md dit ce que chaque côté envoie et attend, et ce qui n'est pas connu.",
)
