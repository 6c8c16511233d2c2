import os
from pathlib import Path

from tandem.mail import counts
from tandem.mail.envelope import Envelope
from tandem.mail.spool import Spool


def test_the_spool_tells_how_many_messages_wait_and_how_long(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert (counts.pending.read(), counts.oldest_s.read()) == (0, 0.0)
    for number in (1, 2):
        envelope = Envelope(
            message_id=f"voice-{number}", mailbox="a@example.com", recipient_name="A", call_id="c", begun_at=""
        )
        spool.begin(envelope).close(samples=0, ended_at="2026-01-01T00:00:00+00:00")
    assert counts.pending.read() == 2 and counts.oldest_s.read() < 60
    older = (tmp_path / "voice-1.json").stat().st_mtime - 100
    os.utime(tmp_path / "voice-1.json", (older, older))
    again = Spool(tmp_path)  # after a restart
    assert len(again.recover(ended_at="")) == 2 == counts.pending.read()
    assert 100 <= counts.oldest_s.read() < 160
    again.done(again.pending()[0])
    assert counts.pending.read() == 1 and counts.oldest_s.read() < 60
    again.stop()
