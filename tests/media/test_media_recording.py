"""A recording notices silence; what does not count as silence."""

import math
from array import array

from tandem.media.codec.g711 import RATE
from tandem.media.recording import Recorder

IDLE_S = 5.0
SPEECH = array("h", [int(8000 * math.sin(0.3 * n)) for n in range(RATE)]).tobytes()
QUIET = bytes(2 * RATE)


def told(*seconds: tuple[bytes, bool]) -> list[int]:
    """The seconds at which silence is told, of what comes in each second and whether the call is held then."""
    recorder, heard, at = Recorder(len, idle_s=IDLE_S, now=0.0), 0.0, []
    for second, (linear, held) in enumerate(seconds, 1):
        heard = second if linear else heard
        if recorder.feed(linear, float(second), heard, held=held):
            at.append(second)
    return at


def test_silence_is_told_once_after_its_time() -> None:
    assert told(*[(SPEECH, False)] * 3, *[(QUIET, False)] * 9) == [8]


def test_nothing_at_all_is_silence_too() -> None:
    assert told(*[(SPEECH, False)] * 3, *[(b"", False)] * 9) == [8]


def test_a_hold_is_no_silence_however_long_and_its_time_begins_again_after_it() -> None:
    hold = [(b"", True)] * 60
    assert told((SPEECH, False), *hold, (SPEECH, False)) == []
    assert told((SPEECH, False), *hold, *[(QUIET, False)] * 9) == [61 + 5]
    assert told((SPEECH, False), *[(QUIET, False)] * 3, *hold, *[(b"", False)] * 9) == [64 + 5]


def test_speech_after_a_hold_makes_silence_count_from_its_own_end() -> None:
    spoken = (SPEECH, False), *[(QUIET, False)] * 3, *[(QUIET, True)] * 3, (SPEECH, False)
    assert told(*spoken, *[(QUIET, False)] * 9) == [8 + 5]
