"""``tandem trace``: the SIP messages of a call, as a ladder, in full, or exported; and the list of recent calls.

Every access to a call is logged in ``state/trace/access.jsonl`` before anything is shown.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from tandem.admin.operate import trace as admin
from tandem.cli.common import JSON, console, print_json
from tandem.cli.operate.operating import host_and_port
from tandem.ops.trace.calls import Call, Line
from tandem.ops.trace.draw import draw, moment


@click.command()
@click.argument("call_id", required=False)
@click.option(
    "--home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The folder with state/; default: this folder.",
)
@click.option("--list", "listed", is_flag=True, help="List recent calls.")
@click.option("--about", default="", metavar="TEXT", help="With --list: only calls with this in from, to or Call-ID.")
@click.option("--all", "every", is_flag=True, help="With --list: also registrations, options and notifications.")
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="With --list: the last N.")
@click.option(
    "--full", is_flag=True, help="Show the messages as they were (secrets are masked since they were written)."
)
@click.option(
    "--pcap", "capture", type=click.Path(dir_okay=False, path_type=Path), help="Write the call for Wireshark."
)
@click.option("--hep", metavar="HOST:PORT", callback=host_and_port, help="Send the call to a collector (HEP 3).")
@click.option("--access", is_flag=True, help="Show who has looked at which call.")
@JSON
def trace(
    call_id: str | None,
    home: Path,
    listed: bool,
    about: str,
    every: bool,
    limit: int,
    full: bool,
    capture: Path | None,
    hep: tuple[str, int] | None,
    access: bool,
    as_json: bool,
) -> None:
    """Show the SIP messages of the call CALL_ID (or of the only one that begins so), of all servers on this machine.

    Servers keep the last messages, with keys, passwords' proofs and pressed digits masked; see 'tandem serve um --help',
    --trace-mb. Run it as the servers' user or as root; every look is journaled.

    \b
    Examples:
      tandem trace --home example --list --about bob@
      tandem trace --home example a84b4c76e66710
      tandem trace --home example a84b4c76e66710 --pcap call.pcap
    """
    if access:
        _show_access(admin.accesses(home), as_json)
    elif listed:
        _show_list(admin.recent_calls(home, about=about, every_method=every, limit=limit), as_json)
    elif call_id:
        traced = admin.call_messages(home, call_id)
        _show_call(traced, full=full, as_json=as_json, exported=_export(traced, capture, hep))
    else:
        raise click.UsageError("give a CALL_ID, or --list to see which there are")


def _export(traced: admin.TracedMessages, capture: Path | None, collector: tuple[str, int] | None) -> list[str]:
    done = []
    if capture is not None:
        admin.write_pcap(traced, capture)
        done.append(f"{capture}: {len(traced.records)} messages")
    if collector is not None:
        admin.send_hep(traced, collector)
        done.append(f"{collector[0]}:{collector[1]}: {len(traced.records)} messages sent")
    return done


def _show_call(traced: admin.TracedMessages, *, full: bool, as_json: bool, exported: Sequence[str]) -> None:
    if as_json:
        print_json(traced.to_json(full=full))
        return
    for text in exported:
        click.echo(text)
    if exported:
        return
    out = console()
    call = traced.call
    out.print(Text(f"{call.call_id}  {call.from_} -> {call.to}  {_outcome(call)}", style="bold"))
    if full:
        _show_full(out, traced.lines)
    else:
        for row in draw(traced.lines):
            out.print(row)


def _show_full(out: Console, lines: Sequence[Line]) -> None:
    for line in lines:
        out.print(
            Text(f"\n{moment(line.record.at)}  {line.source} -> {line.target}  {line.record.transport}", style="bold")
        )
        text = line.record.data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
        out.print(Text("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)))


_COLUMNS: tuple[tuple[str, Callable[[Call], str]], ...] = (
    ("began", lambda call: f"{datetime.fromtimestamp(call.begun_at).astimezone():%m-%d %H:%M:%S}"),
    ("request", lambda call: call.method),
    ("from", lambda call: call.from_),
    ("to", lambda call: call.to),
    ("ended", lambda call: _outcome(call)),
    ("messages", lambda call: str(call.messages)),
    ("Call-ID", lambda call: call.call_id),
)


def _show_list(found: admin.TracedCalls, as_json: bool) -> None:
    if as_json:
        print_json(found.to_json())
        return
    rows = [[head for head, _ in _COLUMNS], *([value(call) for _, value in _COLUMNS] for call in found.calls)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _show_access(found: admin.Accesses, as_json: bool) -> None:
    if as_json:
        print_json(found.to_json())
        return
    for line in found.lines:
        click.echo(f"{line['at'][:19]}Z  {line['who']}  {line['task']}")


def _outcome(call: Call) -> str:
    if not call.status:
        return "no final response"
    return f"{call.status}, {call.talked_s:.1f} s" if call.talked_s else str(call.status)
