"""A plan as a page to print: one self-contained HTML file. Every text is escaped.

It begins with what is to be done by team and by phase; then each team has a page of its own, with what is to be done first, by
phase and forest, what is done after it, and a place to sign.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from itertools import groupby

from tandem.cli.show import worth_showing
from tandem.process.observing.standing import NOTHING_KNOWN, StepState, is_old, source_text
from tandem.process.phases import PHASES, Phase, Side
from tandem.process.plan import Plan, Planned, Status, observations_of
from tandem.process.roles import requirement_text

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; margin: 2cm auto; max-width: 19cm; color: #111; }
section { break-before: page; } section:first-of-type { break-before: auto; }
h1 { font-size: 18pt; } h2 { font-size: 14pt; border-bottom: 2px solid #333; } h3 { font-size: 11pt; margin: 1.2em 0 0; }
table { border-collapse: collapse; margin: .6em 0; } td, th { border: 1px solid #999; padding: .15em .6em; text-align: left; }
article { break-inside: avoid; border-left: 3px solid #999; padding-left: .8em; margin: .8em 0; }
.done, .observed { border-color: #2a7d2a; } .ready, .open { border-color: #1f5fa8; }
.guarded, .differs { border-color: #b00020; }
.confirmed { border-color: #c79100; border-left-style: dashed; } .open { border-left-style: dotted; }
.roles { color: #444; margin: 0; } .reason { color: #8a5a00; margin: 0; }
ul { list-style: none; padding: 0; margin: .3em 0; font-family: ui-monospace, monospace; font-size: 9.5pt; }
.box { display: inline-block; width: 1em; height: 1em; line-height: 1em; border: 1px solid #333; margin-right: .5em; }
.sign td { height: 2.2em; width: 5.5cm; }
"""
_MOST = 200
_MARKS = {"done": "&#10003;", "observed": "&#10003;", "confirmed": "C"}
"""In the box of a task: a tick for what is known, C for a confirmation."""
_LEGEND = (
    "<p><b>&#10003;</b> done, or observed by a collector. C: confirmed by somebody, and not observed. "
    "An empty box: open, or different from what is declared.</p>"
)


def plan_page(plan: Plan, organization: str, at: datetime) -> str:
    """The page of a plan. Each task has a box to tick by hand."""
    sections = "".join(_team(plan, side) for side in Side if any(p.task.side is side for p in plan.tasks))
    title = f"Deployment plan of {escape(organization)}"
    made = f"Made on {at:%Y-%m-%d %H:%M} UTC as seen by {escape(plan.operator)}; {len(plan.todo)} task(s) to do."
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1><p>{made}</p>\n{_summary(plan, at)}{sections}</body></html>\n"
    )


def _summary(plan: Plan, at: datetime) -> str:
    """Phase by team: how many tasks are in which state. Then the observations, with their age."""
    sides = [side for side in Side if any(p.task.side is side for p in plan.tasks)]
    head = "".join(f"<th>{escape(side.capitalize())}</th>" for side in sides)
    rows = []
    for phase in PHASES:
        mine = [p for p in plan.tasks if p.task.phase == phase]
        if mine:
            cells = "".join(f"<td>{_counted(p for p in mine if p.task.side is side)}</td>" for side in sides)
            rows.append(f"<tr><th>{phase.number}. {escape(phase.title)}</th>{cells}</tr>\n")
    total = "".join(f"<td>{_counted(p for p in plan.tasks if p.task.side is side)}</td>" for side in sides)
    table = f"<table>\n<tr><th>Phase</th>{head}</tr>\n{''.join(rows)}<tr><th>Together</th>{total}</tr>\n</table>\n"
    seen = "".join(
        f"<li>{'<b>old, run the collector again:</b> ' if is_old(each, at) else ''}"
        f"{escape(f'{each.side} of {each.forest}, shell {each.shell}, {source_text(each, at)}')}</li>\n"
        for each in observations_of(plan.tasks)
    )
    return f"<h2>Summary</h2>\n{table}{_LEGEND}" + (f"<h3>Observations</h3><ul>{seen}</ul>\n" if seen else "")


def _counted(tasks: Iterable[Planned]) -> str:
    """``3 open, 1 done``: the states of some tasks, what is to be done first."""
    counts = Counter(_word(each) for each in tasks)
    order = sorted(counts, key=lambda word: (word in _MARKS, word))
    return ", ".join(f"{counts[word]} {escape(word)}" for word in order)


def _word(planned: Planned) -> str:
    return str(StepState.OPEN) if planned.word == Status.BY_HAND else planned.word


def _team(plan: Plan, side: Side) -> str:
    mine = [planned for planned in plan.tasks if planned.task.side is side]
    todo = [planned for planned in mine if planned.status is not Status.DONE]
    done = [planned for planned in mine if planned.status is Status.DONE]
    parts = [f"<section><h2>{escape(side.capitalize())}</h2>\n<p>{_counted(mine)}</p>\n", *_by_phase(todo)]
    if done:
        parts += ["<h2>Done, observed or confirmed</h2>\n", *_by_phase(done)]
    return "".join((*parts, _SIGN, "</section>\n"))


_SIGN = (
    '<table class="sign"><tr><th>Name</th><th>Date</th><th>Signature</th></tr>'
    "<tr><td></td><td></td><td></td></tr><tr><td></td><td></td><td></td></tr></table>\n"
)


def _by_phase(tasks: list[Planned]) -> Iterator[str]:
    """Tasks with a heading for each phase and forest."""

    def place(planned: Planned) -> tuple[int, str]:
        return planned.task.phase.number, planned.task.forest

    for (number, forest), group in groupby(sorted(tasks, key=place), key=place):
        phase: Phase = PHASES[number]
        yield f"<h3>{phase.number}. {escape(phase.title)} &ndash; {escape(forest)}</h3>\n"
        yield from map(_task, group)


def _task(planned: Planned) -> str:
    task, word = planned.task, _word(planned)
    holders = ", ".join(planned.holders) or "nobody yet"
    known = planned.standing.text if planned.standing else ""
    said = (known if known != NOTHING_KNOWN else "", planned.reason, planned.advice)
    notes = "".join(f'<p class="reason">{escape(n)}</p>' for n in said if n)
    shown = worth_showing(planned.changes)
    changes = "".join(f"<li>{escape(str(change))}</li>" for change in shown[:_MOST])
    if len(shown) > _MOST:
        changes += f"<li>... and {len(shown) - _MOST} more</li>"
    listed = f"<ul>{changes}</ul>" if changes else ""
    roles = escape(requirement_text(task.required))
    return (
        f'<article class="{escape(word.replace(" ", "-"))}">'
        f'<div><span class="box">{_MARKS.get(word, "")}</span><b>{escape(task.title)}</b> ({escape(task.id)})'
        f' &ndash; {escape(word)}</div><p class="roles">{roles}: {escape(holders)}</p>{notes}{listed}</article>\n'
    )
