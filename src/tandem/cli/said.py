"""In which language a command speaks, and its output in that language (docs/adr/0034-french.md).

Messages are made in English everywhere below; here, where they are printed, they become French. JSON, saved plans, the journal
and ``--help`` stay English: programs and evidence do not change with the reader.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any

import click
from rich.console import Console
from rich.text import Text as Markup

from tandem.cli.french.catalogue import translator
from tandem.cli.french.translator import Translator
from tandem.core.errors import TandemError
from tandem.org.errors import ConfigError, Finding, Severity
from tandem.org.model import Organization
from tandem.process.runbook.model import Language, Text
from tandem.process.runbook.steps import runbook_steps

_TAG = re.compile(r"(<style>.*?</style>|<[^>]+>|&#\d+;)", re.DOTALL)
_BEFORE_SIGN = re.compile(r" (?=[:;?!»])|(?<=«) ")


def language_of(environment: Mapping[str, str]) -> Language:
    """The language that the environment asks for, as POSIX orders its variables: French, or English for any other."""
    named = (environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "fr" if next(filter(None, named), "").lower().startswith("fr") else "en"


@dataclass(slots=True)
class Speech:
    """How one run of the command speaks. It is the object of click's contexts; ``--lang`` sets it."""

    language: Language = field(default_factory=lambda: language_of(os.environ))
    _translator: Translator = field(default_factory=translator, repr=False)

    def learn(self, texts: Iterable[Text]) -> None:
        """Know texts that are made in both languages, such as the titles of a runbook's steps."""
        if self.language == "fr":
            self._translator = self._translator.with_texts({text.en: text.fr for text in texts})

    def said(self, text: str) -> str:
        """A message in the language; it is left as it is where the catalogue does not know it."""
        return self._translator.said(text) if self.language == "fr" else text

    def finding(self, finding: Finding) -> str:
        """A finding in a line, as ``str(finding)``. ``FILE:LINE:`` stays as editors read it."""
        if self.language == "en":
            return str(finding)
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        key = f"{finding.key} : " if finding.key else ""
        expected = f" ; attendu : {self.said(finding.expected)}" if finding.expected else ""
        return f"{place}: {self.said(finding.severity)} : {key}{self.said(finding.found)}{expected}"

    def error(self, error: TandemError) -> str:
        """An error's message, for the terminal."""
        if isinstance(error, ConfigError):
            errors = (self.finding(each) for each in error.findings if each.severity is Severity.ERROR)
            return "\n".join((self.said(str(error).partition("\n")[0]), *errors))
        return self.said(str(error))

    def page(self, html: str) -> str:
        """A page: the text between its tags, with a space at which no line ends before ``: ; ? !`` and within « »."""
        if self.language == "en":
            return html
        parts = _TAG.split(html)
        parts[::2] = (self._node(unescape(part)) for part in parts[::2])
        return "".join(parts).replace('<html lang="en">', '<html lang="fr">', 1)

    def _node(self, text: str) -> str:
        said = self.said(text)
        return escape(_BEFORE_SIGN.sub("\u00a0", said) if said != text else text)


def speech() -> Speech:
    """How the command that runs now speaks."""
    context = click.get_current_context(silent=True)
    if context is None:
        return Speech()
    return context.find_object(Speech) or context.find_root().ensure_object(Speech)


def said(text: str) -> str:
    """A message in the language of the command that runs now."""
    return speech().said(text)


def learn_runbook(organization: Organization) -> None:
    """Know the steps of an organization's runbook, which plan, verify and drift name."""
    spoken = speech()
    steps = runbook_steps(organization) if spoken.language == "fr" else ()
    spoken.learn(text for step in steps for text in (step.title, step.where))


def _choose(context: click.Context, _: click.Parameter, value: Language | None) -> None:
    if value:
        context.ensure_object(Speech).language = value


LANG = click.option(
    "--lang",
    type=click.Choice(["en", "fr"]),
    callback=_choose,
    expose_value=False,
    help="English or French; by default what LC_ALL, LC_MESSAGES or LANG say.",
)
"""The option of commands that speak French."""


class SpeakingConsole(Console):
    """A console that says what it prints in the language of the command: each piece of one style is a message."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As :meth:`rich.console.Console.print`, with text in markup translated."""
        spoken = speech()
        if spoken.language == "fr":
            objects = tuple(_translated(each, spoken) if isinstance(each, str) else each for each in objects)
        super().print(*objects, **options)


def _translated(markup: str, spoken: Speech) -> Markup:
    text = Markup.from_markup(markup)
    edges = sorted({0, len(text), *(edge for span in text.spans for edge in (span.start, span.end))})
    pieces = text.divide(edges[1:-1]) if len(text) else [text]
    out = Markup()
    for piece in pieces:
        out.append_text(_said_piece(piece, spoken))
    return out


def _said_piece(piece: Markup, spoken: Speech) -> Markup:
    """A piece of one style; behind a longer or shorter text the column stays where it was, as far as it can."""
    said = spoken.said(piece.plain)
    style = piece.spans[0].style if piece.spans else ""
    if piece.plain.strip() and piece.plain.endswith(" "):
        words = said.rstrip()
        said = words + " " * max(len(piece.plain) - len(words), min(len(said) - len(words), 2))
    return Markup(said, style=style)
