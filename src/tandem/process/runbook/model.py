"""A runbook's steps as values. Texts are in English and French; commands are PowerShell, the same in both."""

import hashlib
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookStep:
    """One step.

    ``commands`` and ``checks`` are blocks of PowerShell that may be run again and again; a check throws where the result
    is not there. ``where`` is the shell or server that they run in, ``links`` the topic's own pages.
    """

    id: str
    phase: Phase
    side: Side
    required: Requirement
    forest: str
    where: Text
    title: Text
    commands: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    notes: tuple[Text, ...] = ()
    links: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Identifies the step as it is now: a confirmation of another text is void."""
        said = (self.id, *self.commands, *self.checks, *(note.en for note in self.notes))
        return hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]


UNKNOWN = Text(
    "Not known: how Front End and UM servers address each other (Request-URI, otherIpPhone) is not public, so calls between "
    "Tandem and Microsoft servers are not proven; see docs/adr/0004.",
    "Inconnu : la façon dont serveurs Front End et serveurs de messagerie unifiée s'adressent (Request-URI, otherIpPhone) n'est "
    "pas publique ; les appels entre Tandem et Microsoft ne sont pas prouvés, voir docs/adr/0004.",
)
