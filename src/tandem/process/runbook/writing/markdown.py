"""A runbook as Markdown: by phase; each step with who, where, what is typed, commands, check, and what backs it out."""

from collections.abc import Iterator

from tandem.process.roles import requirement_text
from tandem.process.runbook.model import Language, RunbookStep
from tandem.process.runbook.order import awaited
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.needs import needs_text
from tandem.process.runbook.writing.words import (
    SHELLS,
    confirm_line,
    duration,
    label,
    labelled,
    left_out,
    numbered,
    who,
    word,
)


def markdown(book: Runbook, language: Language) -> str:
    """The whole runbook."""
    parts = [f"# {labelled('title', plain(book.organization.name), language)}\n"]
    parts.append(f"- {labelled('version', plain(book.version), language)}")
    parts.append(f"- {labelled('made', f'{book.at:%Y-%m-%d %H:%M} UTC', language)}")
    parts.append(f"- {labelled('digest', book.digest, language)}\n")
    if not book.steps:
        return "\n".join((*parts, word("nothing_open" if book.done else "nothing", language), ""))
    if book.done:
        parts.append(f"{left_out(book.done, language)}.\n")
    parts.append(f"{word('agree', language)}\n")
    for phase, steps in book.by_phase():
        parts.append(f"## {numbered(phase, language)}\n")
        for step in steps:
            parts += _step(book, step, language)
    return "\n".join(parts)


def _step(book: Runbook, step: RunbookStep, language: Language) -> Iterator[str]:
    yield f"### {plain(step.title.of(language))}\n"
    yield f"- {labelled('step', f'`{step.id}`', language)}"
    if state := book.states.get(step.id):
        yield f"- **{labelled('state', plain(state.of(language)), language)}**"
    yield f"- {plain(who(step, language))}"
    yield f"- {labelled('roles', requirement_text(step.required, language), language)}"
    yield f"- {labelled('where', plain(step.where.of(language)), language)} ({SHELLS[step.shell].of(language)})"
    if step.server:
        yield f"- {labelled('server', plain(step.server), language)}"
    if needs := needs_text(awaited(step, book.every, book.organization.voice_forest), language):
        yield f"- {labelled('waits', plain(needs), language)}"
    yield f"- {labelled('estimate', duration(step.minutes, language), language)}"
    yield from (f"- {plain(note.of(language))}" for note in step.notes)
    yield from (f"- {plain(link.about)}: <{link.url}>" for link in step.links)
    if step.no_return:
        yield f"- **{labelled('no_return', plain(step.no_return.of(language)), language)}**"
    if step.tables:
        files = ", ".join(f"`{table.file}` ({len(table.rows)} {word('rows', language)})" for table in step.tables)
        yield f"- {labelled('tables', files, language)}. {word('tables_note', language)}"
    if step.typed:
        yield f"\n{label('typed', language)}\n"
        yield from (f"{number}. {plain(each.of(language))}" for number, each in enumerate(step.typed, 1))
    for name, blocks in (("commands", step.commands), ("check", step.checks), ("undo", step.undo)):
        if blocks:
            note = f" {word('saved_note', language)}" if name == "undo" and step.saves else ""
            yield f"\n{label(name, language)}{note}\n\n" + fenced("\n".join(blocks))
    yield f"\n{label('confirm', language)} `{confirm_line(step, language)}`\n"


def fenced(code: str) -> str:
    """A block of PowerShell. The fence is longer than any run of backticks in it."""
    longest, run = 2, 0
    for char in code:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    return f"{fence}powershell\n{code}\n{fence}"


def plain(text: str) -> str:
    """Text in Markdown: nothing in it becomes markup."""
    flat = " ".join(text.split())
    return "".join(f"\\{char}" if char in "\\`*_[]<>#|&~" else char for char in flat)
