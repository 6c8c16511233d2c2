"""``tandem trace``: the SIP messages of a call, as a ladder, in full, or exported; and the list of recent calls.

Every access is logged in ``state/trace/access.jsonl`` before anything is shown.
"""

import os
import pwd
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tandem.cli.common import JSON, console, print_json
from tandem.cli.operate.operating import host_and_port
from tandem.core.errors import TandemError
from tandem.ops.trace.calls import Call, Line, calls, ladder
from tandem.ops.trace.draw import draw, moment
from tandem.ops.trace.hep import Collector
from tandem.ops.trace.pcap import pcap
from tandem.ops.trace.record import Record, call_id_of
from tandem.ops.trace.ring import read
from tandem.process.journal import Journal


class NoTrace(TandemError):
    """There is nothing to show; the message says why."""


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
    folder = home / "state" / "trace"
    journal = Journal(path=folder / "access.jsonl")
    if access:
        _show_access(journal, as_json)
    elif listed:
        _journal(journal, "trace --list")
        found = [call for call in calls(read(folder)) if (every or call.method == "INVITE") and call.is_about(about)]
        _show_list(found[-limit:], as_json)
    elif call_id:
        records = _of_call(folder, call_id)
        _journal(journal, f"trace {call_id_of(records[0].data)}")
        _show_call(records, full=full, as_json=as_json, exported=_export(records, capture, hep))
    else:
        raise click.UsageError("give a CALL_ID, or --list to see which there are")


def _of_call(folder: Path, asked: str) -> list[Record]:
    """The messages of one call, by its Call-ID or by how that begins."""
    found: dict[str, list[Record]] = {}
    for record in read(folder, about=asked):
        if (call_id := call_id_of(record.data)).startswith(asked):
            found.setdefault(call_id, []).append(record)
    if asked in found:
        return found[asked]
    if len(found) > 1:
        raise NoTrace(f"{len(found)} calls begin with {asked!r}: {', '.join(sorted(found)[:5])}; give more of it")
    if not found:
        raise NoTrace(
            f"{folder} holds no message of a call {asked!r}; it is older than the trace reaches back, "
            "or its server keeps none (--trace-mb 0); --list shows what there is"
        )
    return next(iter(found.values()))


def _journal(journal: Journal, what: str) -> None:
    """Log who looks at what. Raises :class:`NoTrace` if that fails: no access without a line."""
    user = pwd.getpwuid(os.getuid()).pw_name
    behind = os.environ.get("SUDO_USER", "")
    who = f"{user} ({behind})" if behind and behind != user else user
    try:
        journal.append(at=datetime.now(UTC), who=who, task=what, state="read", changes=())
        journal.path.chmod(0o600)
        if os.geteuid() == 0:  # the servers' account has to be able to add to it
            owner = journal.path.parent.stat()
            os.chown(journal.path, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise NoTrace(
            f"{journal.path} cannot be written ({error.strerror}), and every access must be logged there first; "
            "run this as the servers' user or as root"
        ) from None


def _export(records: Sequence[Record], capture: Path | None, collector: tuple[str, int] | None) -> list[str]:
    done = []
    if capture is not None:
        try:
            with open(capture, "wb", opener=_private) as file:
                file.writelines(pcap(sorted(records, key=lambda record: record.at)))
        except OSError as error:
            raise NoTrace(f"{capture}: {error.strerror}") from None
        done.append(f"{capture}: {len(records)} messages")
    if collector is not None:
        to = Collector(*collector)
        try:
            for record in records:
                to(record)
        except OSError as error:
            raise NoTrace(
                f"{collector[0]}:{collector[1]}: {error.strerror}; nothing takes HEP over UDP there?"
            ) from None
        finally:
            to.close()
        done.append(f"{collector[0]}:{collector[1]}: {len(records)} messages sent")
    return done


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# Showing


def _show_call(records: Sequence[Record], *, full: bool, as_json: bool, exported: Sequence[str]) -> None:
    if as_json:
        print_json([_facts(line, full=full) for line in ladder(records)])
        return
    for text in exported:
        click.echo(text)
    if exported:
        return
    out = console()
    (call,) = calls(records)
    out.print(Text(f"{call.call_id}  {call.from_} -> {call.to}  {_outcome(call)}", style="bold"))
    if full:
        _show_full(out, ladder(records))
    else:
        for row in draw(ladder(records)):
            out.print(row)


def _show_full(out: Console, lines: Sequence[Line]) -> None:
    for line in lines:
        out.print(
            Text(f"\n{moment(line.record.at)}  {line.source} -> {line.target}  {line.record.transport}", style="bold")
        )
        text = line.record.data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
        out.print(Text("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)))


def _facts(line: Line, *, full: bool) -> dict[str, Any]:
    record = line.record
    facts = {
        "at": datetime.fromtimestamp(record.at, UTC).isoformat(timespec="microseconds"),
        "server": record.server,
        "sent": record.sent,
        "transport": record.transport,
        "source": line.source,
        "target": line.target,
        "source_address": f"{record.source[0]}:{record.source[1]}",
        "target_address": f"{record.target[0]}:{record.target[1]}",
        "method": line.method,
        "status": line.status or None,
        "text": line.text,
        "media": line.media or None,
        "again": line.again,
    }
    return {**facts, "message": record.data.decode("utf-8", "replace")} if full else facts


_COLUMNS: tuple[tuple[str, Callable[[Call], str]], ...] = (
    ("began", lambda call: f"{datetime.fromtimestamp(call.begun_at).astimezone():%m-%d %H:%M:%S}"),
    ("request", lambda call: call.method),
    ("from", lambda call: call.from_),
    ("to", lambda call: call.to),
    ("ended", lambda call: _outcome(call)),
    ("messages", lambda call: str(call.messages)),
    ("Call-ID", lambda call: call.call_id),
)


def _show_list(found: Sequence[Call], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "call_id": call.call_id,
                    "begun_at": datetime.fromtimestamp(call.begun_at, UTC).isoformat(timespec="milliseconds"),
                    "method": call.method,
                    "from": call.from_,
                    "to": call.to,
                    "status": call.status or None,
                    "talked_s": round(call.talked_s, 3),
                    "messages": call.messages,
                    "servers": sorted(call.servers),
                }
                for call in found
            ]
        )
        return
    rows = [[head for head, _ in _COLUMNS], *([value(call) for _, value in _COLUMNS] for call in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _show_access(journal: Journal, as_json: bool) -> None:
    lines = journal.lines()
    if as_json:
        print_json(lines)
        return
    for line in lines:
        click.echo(f"{line['at'][:19]}Z  {line['who']}  {line['task']}")


def _outcome(call: Call) -> str:
    if not call.status:
        return "no final response"
    return f"{call.status}, {call.talked_s:.1f} s" if call.talked_s else str(call.status)
