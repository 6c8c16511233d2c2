"""A call as a ladder for the terminal: a lane for each party, an arrow for each message, its media below it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.text import Text

from tandem.ops.trace.calls import Line

_MOMENT_WIDTH = 14
_LANE_WIDTH = 38
"""Columns from one party to the next: a request with a URI fits on most arrows."""
_STYLES = {0: "cyan", 1: "dim", 2: "green", 3: "yellow"}
"""By the first digit of the status; requests have 0, refusals are red."""


def moment(at: float) -> str:
    """Local time of day, to the millisecond."""
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S.%f}"[:12]


def draw(lines: Sequence[Line]) -> list[Text]:
    """A ladder: a lane for each party, an arrow for each message."""
    parties = list(dict.fromkeys(party for line in lines for party in (line.source, line.target)))
    lanes = {party: _MOMENT_WIDTH + at * _LANE_WIDTH for at, party in enumerate(parties)}
    width = _MOMENT_WIDTH + (len(parties) - 1) * _LANE_WIDTH + 1
    heads = [" "] * (width + _LANE_WIDTH)
    for party, at in lanes.items():
        begin = max(0, at - len(party) // 2)
        heads[begin : begin + len(party)] = party
    rows = [Text("".join(heads).rstrip(), style="bold")]
    for line in lines:
        rows += _arrow(line, lanes, width)
    return rows


def _arrow(line: Line, lanes: Mapping[str, int], width: int) -> list[Text]:
    row = [" "] * width
    for at in lanes.values():
        row[at] = "│"
    row[: _MOMENT_WIDTH - 2] = moment(line.record.at)
    below = row[:]
    below[: _MOMENT_WIDTH - 2] = " " * (_MOMENT_WIDTH - 2)
    begin, end = sorted((lanes[line.source], lanes[line.target]))
    forward = lanes[line.source] <= lanes[line.target]
    inside = max(0, end - begin - 1)
    text = f"again: {line.text}" if line.again else line.text
    shown = f" {text} " if len(text) + 4 <= inside else f" {text[: max(0, inside - 5)]}… "
    shaft = shown.center(max(0, inside - 1), "─")
    row[begin + 1 : end] = (f"{shaft}>" if forward else f"<{shaft}")[:inside]
    rows = [_styled(row, line, begin, end)]
    if line.media:
        below[begin + 1 : end] = f"  {line.media}".ljust(inside)[:inside]
        rows.append(Text("".join(below).rstrip(), style="dim"))
    return rows


def _styled(row: Sequence[str], line: Line, begin: int, end: int) -> Text:
    text = Text("".join(row).rstrip())
    text.stylize(_STYLES.get(line.status // 100, "red"), begin + 1, end)
    return text
