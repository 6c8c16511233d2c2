import email
import email.policy
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.mail.compose import missed_call, voice_message, welcome
from tandem.mail.disk import MANY, sync_files
from tandem.mail.maildir.folder import MaildirFolder
from tandem.mail.spool import Envelope, Spool
from tandem.media.codec.wav import write_wav

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ENVELOPE = Envelope(
    message_id="voice-1",
    mailbox="alice@example.com",
    recipient_name="Alice Adams",
    call_id="abc@host",
    begun_at=AT.isoformat(),
    caller_number="+14255554102",
    caller_name="Bob Brown",
    caller_address="bob@example.com",
)


def parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def test_a_voice_message_has_exchanges_headers_and_the_recording() -> None:
    wav = write_wav(b"\1\2" * 8000)
    message = parsed(voice_message(ENVELOPE, wav=wav, seconds=65.2, ended_at=AT))
    assert message["Content-Class"] == "voice-ca"
    assert message["Subject"] == "Voice Mail (1:05)"
    assert message["From"] == "Bob Brown <bob@example.com>"
    assert message["X-CallingTelephoneNumber"] == "+14255554102"
    assert message["X-VoiceMessageDuration"] == "65"
    assert message["X-VoiceMessageSenderName"] == "Bob Brown"
    assert message["X-CallID"] == "abc@host"
    (recording,) = message.iter_attachments()
    assert recording.get_content_type() == "audio/wav"
    assert recording.get_content() == wav
    assert message["X-AttachmentOrder"] == recording.get_filename()
    assert "Bob Brown (+14255554102)" in message.get_body(("plain",)).get_content()


def test_a_missed_call_has_no_attachment() -> None:
    message = parsed(missed_call(ENVELOPE, ended_at=AT))
    assert message["Content-Class"] == "missedcall"
    assert message["Subject"] == "Missed call from Bob Brown (+14255554102)"
    assert not list(message.iter_attachments())


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=80))
@pytest.mark.slow
def test_no_callers_name_adds_a_header_or_markup(name: str, number: str, address: str) -> None:
    envelope = Envelope(
        message_id="voice-1",
        mailbox="alice@example.com",
        recipient_name=name,
        call_id=number,
        begun_at=AT.isoformat(),
        caller_number=number,
        caller_name=name,
        caller_address=address,
    )
    known = {k.lower() for k in parsed(voice_message(ENVELOPE, wav=b"", seconds=1, ended_at=AT))}
    for data in (voice_message(envelope, wav=b"", seconds=1, ended_at=AT), missed_call(envelope, ended_at=AT)):
        message = parsed(data)
        assert {k.lower() for k in message} <= known
        html = message.get_body(("html",)).get_content()
        assert html.count("<") == 4 + 2 * html.count("<p>")
    told = welcome(
        mailbox="a@example.com",
        name=name,
        extension="4101",
        pin="123987",
        text=number,
        at=AT,
        message_id="w",
    )
    assert "123987" in parsed(told).get_content()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    assert not made.folder.exists(), "making one leaves the disk alone: it happens on the event loop"
    assert made.recover(ended_at="") == []
    return made


def test_a_recording_waits_until_it_is_done(spool: Spool) -> None:
    draft = spool.begin(ENVELOPE)
    draft.part.write_bytes(b"\1\0" * 16_000)
    item = draft.close(samples=8000, ended_at=AT.isoformat())
    assert spool.pending() == [item]
    assert item.sound is not None and item.sound.read_bytes() == b"\1\0" * 16_000
    assert (item.samples, item.cut, item.envelope) == (8000, False, ENVELOPE)
    spool.done(item)
    assert spool.pending() == [] and not list(spool.folder.iterdir())


def test_a_missed_call_waits_without_sound(spool: Spool) -> None:
    item = spool.begin(ENVELOPE).close(samples=0, ended_at=AT.isoformat())
    assert item.sound is None and spool.pending() == [item]


def test_what_cannot_be_read_is_set_aside_not_dropped(spool: Spool) -> None:
    (spool.folder / "x.json").write_text("{}")
    (spool.folder / "y.open").write_text("no json")
    (spool.folder / "z.open").write_text('{"message_id": "../../etc/passwd"}')
    assert spool.pending() == [] and spool.recover(ended_at=AT.isoformat()) == []
    assert sorted(p.name for p in spool.folder.iterdir()) == ["x.json.bad", "y.open.bad", "z.open.bad"]


CHILD = """
import sys, time
from pathlib import Path
from tandem.mail.spool import Envelope, Spool
spool = Spool(Path(sys.argv[1]))
spool.recover(ended_at="")
spool.start()
draft = spool.begin(Envelope(message_id="voice-9", mailbox="a@example.com", recipient_name="A", call_id="c", begun_at=""))
with draft.part.open("ab", buffering=0) as file:
    for number in range(1000):
        file.write(number.to_bytes(2, "little") * 160)
        print(number, flush=True)
        time.sleep(0.01)
"""


def test_what_was_written_before_a_sigkill_is_there_afterwards(spool: Spool) -> None:
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(spool.folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    heard = [int(process.stdout.readline()) for _ in range(50)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (item,) = spool.recover(ended_at=AT.isoformat())
    assert item.cut and item.sound is not None
    sound = item.sound.read_bytes()
    frames = [int.from_bytes(sound[at : at + 2], "little") for at in range(0, len(sound), 320)]
    assert frames == list(range(len(frames))) and len(frames) > heard


@pytest.mark.parametrize("count", [1, MANY])
def test_few_files_and_many_are_synced_and_those_that_are_gone_are_passed_over(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / str(number) for number in range(count)]
    for path in paths:
        path.write_bytes(b"x")
    paths[0].unlink()
    sync_files(tmp_path, paths)


def test_a_folder_that_cannot_be_synced_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        sync_files(tmp_path / "gone", [tmp_path / "x"] * MANY)


def test_a_crash_between_delivery_and_the_spool_makes_no_second_message(spool: Spool, tmp_path: Path) -> None:
    item = spool.begin(ENVELOPE).close(samples=0, ended_at=AT.isoformat())
    maildir = MaildirFolder(tmp_path / "a@example.com")
    maildir.append(item.envelope.message_id, missed_call(item.envelope, ended_at=AT))
    again = Spool(spool.folder)  # the server died here, and was started again
    assert again.recover(ended_at=AT.isoformat()) == []
    (left,) = again.pending()
    maildir.append(left.envelope.message_id, missed_call(left.envelope, ended_at=AT))
    again.done(left)
    assert len(list((tmp_path / "a@example.com" / "new").iterdir())) == 1 and not list(spool.folder.iterdir())


def test_a_crash_while_a_recording_is_closed_loses_nothing(spool: Spool) -> None:
    draft = spool.begin(ENVELOPE)
    draft.part.write_bytes(b"\1\0" * 16_000)
    draft.close(samples=16_000, ended_at=AT.isoformat())
    # As if it had died after the description was written and before the sound had its last name.
    (spool.folder / "voice-1.pcm").rename(spool.folder / "voice-1.part")
    (spool.folder / "voice-1.open").write_text("{}")
    (item,) = Spool(spool.folder).pending()
    assert item.sound is not None and item.sound.stat().st_size == 32_000
