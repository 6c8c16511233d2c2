"""The report for the change record as a page, as Markdown, or as a CSV of the steps."""

import csv
import io
from collections.abc import Iterable
from html import escape

from tandem.process.roles import requirement_text
from tandem.process.runbook.model import Language, Text
from tandem.process.runbook.order import awaited
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.markdown import plain
from tandem.process.runbook.writing.needs import needs_text
from tandem.process.runbook.writing.page import BOX, document
from tandem.process.runbook.writing.sections import BY, RESULT, Section, sections, way_back
from tandem.process.runbook.writing.words import SHELLS, TEAMS, labelled, numbered, word

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What Excel takes for the beginning of a formula, in East Asian locales also in full width."""
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_COLUMNS = (
    "phase", "step", "name", "team", "forest", "shell", "server", "roles", "waits", "minutes", "no_return", "undo", "check",
)  # fmt: skip
_PLANNED = Text("Planned for", "Prévu le")
_VERIFIED = Text("by the script, after the step", "par le script, après l'étape")


def report_page(book: Runbook, language: Language) -> str:
    """As a page to print."""
    return document(book, "report", "".join(_section(each) for each in sections(book, language)), language)


def report_markdown(book: Runbook, language: Language) -> str:
    """As Markdown."""
    parts = [f"# {labelled('report', plain(book.organization.name), language)}\n"]
    facts = (("version", book.version), ("made", f"{book.at:%Y-%m-%d %H:%M} UTC"), ("digest", book.digest))
    parts += [f"- {labelled(name, plain(value), language)}" for name, value in facts]
    for each in sections(book, language):
        parts += [f"\n## {each.title}\n", *(f"{plain(line)}\n" for line in each.said)]
        if each.columns:
            parts.append(_row(each.columns))
            parts.append("|" + " --- |" * len(each.columns))
            parts += [_row([plain(cell) for cell in row]) for row in each.rows]
    return "\n".join(parts) + "\n"


def report_csv(book: Runbook, language: Language) -> str:
    """Its steps as CSV, for a change-management tool or Excel: a value that Excel would take for a formula begins with ``'``."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    blank = [text.of(language) for text in (_PLANNED, BY, RESULT)]
    writer.writerow([*(word(name, language) for name in _COLUMNS), *blank])
    for step in book.steps:
        values = (
            numbered(step.phase, language), step.id, step.title.of(language), TEAMS[step.side].of(language), step.forest,
            SHELLS[step.shell].of(language), step.server, requirement_text(step.required, language),
            needs_text(awaited(step, book.every, book.organization.voice_forest), language), str(step.minutes),
            step.no_return.of(language) if step.no_return else "", way_back(step, language), _VERIFIED.of(language),
        )  # fmt: skip
        writer.writerow([*map(_no_formula, values), "", "", ""])
    return out.getvalue()


def _no_formula(value: str) -> str:
    flat = " ".join(value.split())
    return f"'{flat}" if flat.lstrip(_ZERO_WIDTH).startswith(_FORMULA) else flat


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _section(section: Section) -> str:
    said = "".join(f"<p>{escape(line)}</p>" for line in section.said)
    box = BOX if section.box else ""
    head = "".join(f"<th>{escape(column)}</th>" for column in section.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{box if at == 0 else str()}{escape(cell)}</td>' for at, cell in enumerate(row))}</tr>"
        for row in section.rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if section.columns else ""
    return f"<h2>{escape(section.title)}</h2>{said}{table}\n"
