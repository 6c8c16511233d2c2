import io
import json
import logging
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.core.log import about, event, get_logger
from tandem.ops import logs
from tandem.ops.errors import OpsError

HOSTILE = 'Bob"\nERROR forged=1\x1b[31m'


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "tandem", "tandem.sip", "tandem.um")]
    before = [(each, each.level, each.handlers[:]) for each in loggers]
    yield
    for each, level, handlers in before:
        each.setLevel(level)
        each.handlers[:] = handlers


def written(format_: str, *levels: str) -> io.StringIO:
    handler = logs.set_up(format_, levels)
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    return stream


def test_json_has_the_fields_of_the_event_and_of_its_call() -> None:
    stream = written("json")
    with about(call="a84b4c76e66710"):
        event(get_logger("um"), logging.INFO, "um.answered", account="alice", name=HOSTILE)
    (line,) = stream.getvalue().splitlines()
    facts = json.loads(line)
    assert facts.pop("at").endswith("+00:00")
    assert facts == {
        "level": "info",
        "room": "um",
        "event": "um.answered",
        "account": "alice",
        "name": HOSTILE,
        "call": "a84b4c76e66710",
    }


def test_a_defect_is_one_line_of_json_with_its_traceback_and_call() -> None:
    stream = written("json")
    with about(call="c1"):
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            get_logger("sip").exception("sip.defect peer=%s", "127.0.0.2")
    (line,) = stream.getvalue().splitlines()
    facts = json.loads(line)
    assert (facts["message"], facts["call"], facts["level"]) == ("sip.defect peer=127.0.0.2", "c1", "error")
    assert facts["traceback"].endswith("RuntimeError: broken")


def test_text_says_the_call_also_where_the_line_is_no_event() -> None:
    stream = written("text")
    with about(call="c1"):
        get_logger("sip").error("sip.defect peer=%s", "127.0.0.2")
    assert stream.getvalue().endswith("ERROR tandem.sip sip.defect peer=127.0.0.2 call=c1\n")


def test_each_room_has_a_level_of_its_own() -> None:
    stream = written("text", "warning", "sip=debug")
    for room in ("sip", "um"):
        for level in (logging.DEBUG, logging.WARNING):
            event(get_logger(room), level, f"{room}.{level}")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["sip.10", "sip.30", "um.30"]


@pytest.mark.parametrize("level", ["loud", "sip=loud", "=debug!", "a.b=debug", ""])
def test_a_level_that_is_none_is_refused_with_those_there_are(level: str) -> None:
    with pytest.raises(OpsError, match=r"expected \[ROOM=\]LEVEL.*debug, info, warning, error"):
        logs.set_up("text", [level])


def fields(entry: bytes) -> dict[str, str]:
    """An independent reader of the journal's protocol."""
    out = {}
    while entry:
        line, _, entry = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", entry[:8])
            value, entry = entry[8 : 8 + length], entry[9 + length :]
        out[name.decode()] = value.decode()
    return out


def test_the_journal_gets_fields_that_it_can_search(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        handler = logs.set_up("journal", journal=tmp_path / "socket")
        with about(call="c1"):
            event(get_logger("um"), logging.WARNING, "um.refused", status=403, why=HOSTILE)
            event(get_logger("um"), logging.WARNING, "um.long", why="x" * 200_000)
        first, second = fields(journal.recv(1 << 20)), fields(journal.recv(1 << 20))
        handler.close()
    assert first["TANDEM_WHY"] == HOSTILE
    assert (first["PRIORITY"], first["TANDEM_EVENT"], first["TANDEM_STATUS"]) == ("4", "um.refused", "403")
    assert (first["TANDEM_CALL"], first["LOGGER"]) == ("c1", "tandem.um")
    assert first["MESSAGE"].startswith("um.refused status=403 why=")
    assert second["TANDEM_EVENT"] == "um.long"


def test_a_journal_that_does_not_keep_up_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        handler = logs.set_up("journal", journal=tmp_path / "socket")
        lost = logs._lost.value
        for number in range(5_000):  # far more than the socket's queue takes; nobody reads
            event(get_logger("um"), logging.INFO, "um.answered", number=number)
        handler.close()
    assert logs._lost.value > lost


def test_where_there_is_no_journal_the_message_says_what_to_use(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="use --log-format text or json"):
        logs.set_up("journal", journal=tmp_path / "none")


def record(name: str, level: int = logging.WARNING) -> logging.LogRecord:
    made = logging.LogRecord("tandem.sip", level, "", 0, name, (), None)
    made.__dict__["event"] = name
    return made


def test_a_flood_of_one_warning_is_cut_and_counted_and_hides_no_other() -> None:
    now = 0.0
    flood = logs.FloodFilter(lambda: now)
    passed = 0
    for step in range(10_000):
        now = step / 100  # a hundred a second, for 100 s
        passed += flood.filter(record("sip.malformed"))
    assert passed == logs.BURST + 9
    assert flood.filter(record("sip.unreachable"))
    now += logs.PAUSE_S
    last = record("sip.malformed")
    assert flood.filter(last)
    assert passed + last.__dict__["left_out"] < 10_000
    now += 2 * logs.PAUSE_S
    assert all(flood.filter(record("sip.malformed")) for _ in range(logs.BURST))


def test_the_line_after_a_flood_says_how_many_were_left_out() -> None:
    stream = written("text")
    clock = iter([0.0] * (logs.BURST + 5) + [100.0])
    handler = logging.getLogger().handlers[0]
    handler.filters[:] = [logs.FloodFilter(lambda: next(clock))]
    for _ in range(logs.BURST + 6):
        event(get_logger("sip"), logging.WARNING, "sip.malformed")
    assert len(stream.getvalue().splitlines()) == logs.BURST + 1
    assert stream.getvalue().endswith("sip.malformed left_out=5\n")


def test_calls_are_never_left_out() -> None:
    flood = logs.FloodFilter(lambda: 0.0)
    answered = record("um.answered", logging.INFO)
    answered.name = "tandem.um"
    assert all(flood.filter(answered) for _ in range(1000))


def test_what_strangers_bring_about_without_a_call_is_cut_too() -> None:
    flood = logs.FloodFilter(lambda: 0.0)
    failed = [flood.filter(record("sip.handshake_failed", logging.INFO)) for _ in range(1000)]
    assert sum(failed) == logs.BURST
    assert all(flood.filter(record("sip.stray_response", logging.DEBUG)) for _ in range(1000))  # it was asked for
