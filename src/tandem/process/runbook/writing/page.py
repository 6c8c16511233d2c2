"""A runbook as one self-contained page to print: contents, a box to tick by each step, each team's steps on pages of their own.

Code can be copied: nothing stands in it but PowerShell. The header of the page says which runbook it is; a browser that knows
the margin boxes of CSS repeats it on every sheet of paper.
"""

from collections.abc import Iterator
from html import escape

from tandem.process.phases import Side
from tandem.process.roles import requirement_text
from tandem.process.runbook.model import Language, RunbookStep
from tandem.process.runbook.order import awaited
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.needs import needs_text
from tandem.process.runbook.writing.words import (
    SHELLS,
    TEAMS,
    confirm_line,
    duration,
    label,
    labelled,
    left_out,
    numbered,
    who,
    word,
)

_STYLE = """
@page { size: A4; margin: 2.2cm 1.6cm 1.8cm; @top-left { content: string(header); font: 8pt system-ui, sans-serif }
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt system-ui, sans-serif } }
body { font: 11pt/1.45 system-ui, sans-serif; margin: 1cm auto; max-width: 19cm; color: #111; }
header { string-set: header content(text); font-size: 9pt; color: #333; border-bottom: 1px solid #333; margin-bottom: 1em; }
section { break-before: page; } h1 { font-size: 18pt; } h2 { font-size: 14pt; } h3 { font-size: 12pt; margin: 1.2em 0 .3em; }
article { border-left: 3px solid #1f5fa8; padding-left: .8em; margin: 1em 0; }
article > h4, table, tr { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
pre { background: #f3f3f3; padding: .5em; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 9pt; }
code { overflow-wrap: anywhere; } .box { display: inline-block; width: .9em; height: .9em; border: 1px solid #111; margin-right: .5em; }
.no-return { border: 2px solid #b00020; padding: .3em .6em; } .sign { margin-top: .6em; }
table { border-collapse: collapse; width: 100%; font-size: 9.5pt; } th, td { border: 1px solid #888; padding: .25em .4em; text-align: left; vertical-align: top; }
nav ol { list-style: none; padding-left: 1em; }
"""
BOX = '<span class="box"></span>'


def page(book: Runbook, language: Language) -> str:
    """The whole runbook."""
    if not book.steps:
        nothing = word("nothing_open" if book.done else "nothing", language)
        return document(book, "title", f"<p>{escape(nothing)}</p>", language)
    sections = "".join(
        f'<section id="team-{side.name.lower()}"><h2>{escape(TEAMS[side].of(language))}</h2>'
        f"{''.join(_team(book, side, language))}</section>\n"
        for side in book.sides
    )
    done = f"<p>{escape(left_out(book.done, language))}.</p>" if book.done else ""
    body = f"{done}<p>{escape(word('agree', language))}</p>{_contents(book, language)}{sections}"
    return document(book, "title", body, language)


def document(book: Runbook, title: str, body: str, language: Language) -> str:
    """A page with the header that says which organization, version, day and text it is of."""
    heading = labelled(title, escape(book.organization.name), language)
    facts = " &middot; ".join(
        escape(fact)
        for fact in (
            book.organization.name,
            labelled("version", book.version, language),
            labelled("made", f"{book.at:%Y-%m-%d %H:%M} UTC", language),
            labelled("digest", book.digest, language),
        )
    )
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{heading}</title>'
        f"<style>{_STYLE}</style></head>\n<body><header>{facts}</header><h1>{heading}</h1>\n{body}</body></html>\n"
    )


def _contents(book: Runbook, language: Language) -> str:
    parts = [f"<nav><h2>{escape(word('contents', language))}</h2><ol>"]
    for side in book.sides:
        parts.append(f'<li><a href="#team-{side.name.lower()}">{escape(TEAMS[side].of(language))}</a><ol>')
        parts += [
            f'<li>{BOX}<a href="#{_anchor(step)}">{step.phase.number}. {escape(step.title.of(language))}</a> ({escape(step.forest)})</li>'
            for step in book.steps
            if step.side is side
        ]
        parts.append("</ol></li>")
    return "".join((*parts, "</ol></nav>\n"))


def _anchor(step: RunbookStep) -> str:
    return escape("step-" + step.id.replace("/", "-"))


def _team(book: Runbook, side: Side, language: Language) -> Iterator[str]:
    for phase, steps in book.by_phase():
        if mine := [step for step in steps if step.side is side]:
            yield f"<h3>{escape(numbered(phase, language))}</h3>\n"
            yield from (_article(book, step, language) for step in mine)


def _article(book: Runbook, step: RunbookStep, language: Language) -> str:
    code = "".join(
        f"<h4>{escape(label(name, language))}</h4><pre>{escape(chr(10).join(blocks))}</pre>"
        for name, blocks in (("commands", step.commands), ("check", step.checks), ("undo", step.undo))
        if blocks
    )
    typed = "".join(f"<li>{BOX}{escape(each.of(language))}</li>" for each in step.typed)
    by_hand = f"<h4>{escape(label('typed', language))}</h4><ol>{typed}</ol>" if typed else ""
    stop = (
        f'<p class="no-return">{escape(labelled("no_return", step.no_return.of(language), language))}</p>'
        if step.no_return
        else ""
    )
    signed = f"{label('done_by', language)} ______________________ {word('when', language)} ______________"
    return (
        f'<article id="{_anchor(step)}"><h4>{BOX}{escape(step.title.of(language))}</h4>'
        f"<ul>{''.join(_facts(book, step, language))}</ul>{stop}{by_hand}{code}"
        f"<p>{escape(label('confirm', language))} <code>{escape(confirm_line(step, language))}</code></p>"
        f'<p class="sign">{escape(signed)}</p></article>\n'
    )


def _facts(book: Runbook, step: RunbookStep, language: Language) -> Iterator[str]:
    facts = [
        labelled("step", step.id, language),
        *([labelled("state", state.of(language), language)] if (state := book.states.get(step.id)) else ()),
        labelled("team", who(step, language), language),
        labelled("roles", requirement_text(step.required, language), language),
        labelled("where", f"{step.where.of(language)} ({SHELLS[step.shell].of(language)})", language),
    ]
    if step.server:
        facts.append(labelled("server", step.server, language))
    if needs := needs_text(awaited(step, book.every, book.organization.voice_forest), language):
        facts.append(labelled("waits", needs, language))
    facts.append(labelled("estimate", duration(step.minutes, language), language))
    facts += [note.of(language) for note in step.notes]
    if step.tables:
        files = ", ".join(f"{table.file} ({len(table.rows)} {word('rows', language)})" for table in step.tables)
        facts.append(f"{labelled('tables', files, language)}. {word('tables_note', language)}")
    if step.undo and step.saves:
        facts.append(word("saved_note", language))
    yield from (f"<li>{escape(fact)}</li>" for fact in facts)
    yield from (f'<li><a href="{escape(link.url)}">{escape(link.about)}</a></li>' for link in step.links)
