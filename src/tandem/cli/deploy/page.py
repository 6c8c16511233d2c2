"""A plan as a page to print: one self-contained HTML file, each team's share on a page of its own. Every text is escaped."""

from datetime import datetime
from html import escape

from tandem.process.phases import Side
from tandem.process.plan import Plan, Planned, Status
from tandem.process.roles import requirement_text

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; margin: 2cm auto; max-width: 19cm; color: #111; }
section { break-before: page; } section:first-of-type { break-before: auto; }
h1 { font-size: 18pt; } h2 { font-size: 14pt; border-bottom: 2px solid #333; } h3 { font-size: 11pt; margin: 1.2em 0 0; }
article { break-inside: avoid; border-left: 3px solid #999; padding-left: .8em; margin: .8em 0; }
.done { border-color: #2a7d2a; } .ready { border-color: #1f5fa8; } .guarded { border-color: #b00020; }
.roles { color: #444; margin: 0; } .reason { color: #8a5a00; margin: 0; }
ul { list-style: none; padding: 0; margin: .3em 0; font-family: ui-monospace, monospace; font-size: 9.5pt; }
.box { display: inline-block; width: .8em; height: .8em; border: 1px solid #333; margin-right: .5em; }
"""
_MOST = 200


def plan_page(plan: Plan, organization: str, at: datetime) -> str:
    """The page of a plan. Each task has a box to tick by hand."""
    sections = "".join(_team(plan, side) for side in Side if any(p.task.side is side for p in plan.tasks))
    title = f"Deployment plan of {escape(organization)}"
    made = f"Made on {at:%Y-%m-%d %H:%M} UTC as seen by {escape(plan.operator)}; {len(plan.todo)} task(s) to do."
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1><p>{made}</p>\n{sections}</body></html>\n"
    )


def _team(plan: Plan, side: Side) -> str:
    mine = [planned for planned in plan.tasks if planned.task.side is side]
    parts, phase = [f"<section><h2>{escape(side.capitalize())}</h2>\n"], None
    for planned in mine:
        if planned.task.phase != phase:
            phase = planned.task.phase
            parts.append(f"<h3>{phase.number}. {escape(phase.title)}</h3>\n")
        parts.append(_task(planned))
    return "".join((*parts, "</section>\n"))


def _task(planned: Planned) -> str:
    task, done = planned.task, planned.status is Status.DONE
    holders = ", ".join(planned.holders) or "nobody yet"
    notes = "".join(f'<p class="reason">{escape(n)}</p>' for n in (planned.reason, planned.advice) if n)
    changes = "".join(f"<li>{escape(str(change))}</li>" for change in planned.changes[:_MOST])
    if len(planned.changes) > _MOST:
        changes += f"<li>... and {len(planned.changes) - _MOST} more</li>"
    status, roles = escape(planned.status), escape(requirement_text(task.required))
    return (
        f'<article class="{status.replace(" ", "-")}">'
        f'<div><span class="box">{"&#10003;" if done else ""}</span><b>{escape(task.id)}</b> {escape(task.title)}'
        f' &ndash; {status}</div><p class="roles">{roles}: {escape(holders)}</p>{notes}<ul>{changes}</ul></article>\n'
    )
