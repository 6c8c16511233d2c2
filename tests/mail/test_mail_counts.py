import os
from pathlib import Path

from tandem.mail import counts
from tandem.mail.spool import Envelope, Spool


def test_the_spool_tells_how_many_messages_wait_and_how_long(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert (counts.pending.read(), counts.oldest_s.read()) == (0, 0.0)
    for number in (1, 2):
        envelope = Envelope(
            message_id=f"voice-{number}", mailbox="a@example.com", recipient_name="A", call_id="c", begun_at=""
        )
        item = spool.begin(envelope).close(samples=0, ended_at="2026-01-01T00:00:00+00:00")
    older = (tmp_path / "voice-1.json").stat().st_mtime - 100
    os.utime(tmp_path / "voice-1.json", (older, older))
    assert counts.pending.read() == 2
    assert 100 <= counts.oldest_s.read() < 160
    spool.done(item)
    assert counts.pending.read() == 1
