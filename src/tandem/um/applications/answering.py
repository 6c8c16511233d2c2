"""Call answering: greet, give the tone, record, thank, hang up.

``#`` during the greeting skips to the tone, as it ends the recording later. A caller who hangs up before the tone has left no
message, and neither has one who speaks for less than a second: the mailbox gets a missed-call notice. The message is kept
however the call ends. Left out: the menu after a recording (review, importance).
"""

from enum import Enum, auto

from tandem.um.menu.check import checked
from tandem.um.menu.table import (
    Digit,
    Fact,
    Happening,
    MenuOperation,
    MenuState,
    MenuTable,
    Perform,
    RecordCaller,
    Result,
    Row,
    Setting,
    Speak,
    StartTimer,
    Then,
    Timeout,
    say,
)

MINIMUM_S = 1.0
"""Speech that ends earlier than this after the tone is no message (our choice; Exchange's value is not public)."""
TAIL_S = 0.3
"""How much of the silence after the last speech stays in the message."""
IDLE_S, RECORDING_S = Setting("idle_s"), Setting("recording_s")
"""The dial plan's ``RecordingIdleTimeout`` and ``MaxRecordingDuration``."""


class AnsweringState(Enum):
    """Where a call is."""

    GREETING = auto()
    TONE = auto()
    RECORDING = auto()
    KEEPING = auto()
    THANKING = auto()
    REGRETTING = auto()


S, H = AnsweringState, Happening
KEEP = MenuOperation("keep", ("message", "nothing", "failed"))
"""Close the recording; it is a message, too short for one, or the disk does not take it now."""
TABLE = checked(
    MenuTable(
        name="call-answering",
        finally_do=(KEEP,),
        states=(
            MenuState(S.GREETING, (Speak((say("lead-in"), say("answering-greeting", extension=Fact("extension")))),)),
            MenuState(S.TONE, (Speak((say("tone"),)),)),
            MenuState(
                S.RECORDING,
                (RecordCaller(idle_s=IDLE_S), StartTimer("recording limit", RECORDING_S)),
                clears_type_ahead=True,
            ),
            MenuState(S.KEEPING, (Perform(KEEP),)),
            MenuState(S.THANKING, (Speak((say("message-sent"),)),)),
            MenuState(S.REGRETTING, (Speak((say("nothing-recorded"),)),)),
        ),
        rows=(
            Row(S.GREETING, H.PLAYED, S.TONE),
            Row(S.GREETING, Digit("#"), S.TONE),
            Row(S.TONE, H.PLAYED, S.RECORDING),
            Row(S.RECORDING, Digit("#"), S.KEEPING),
            Row(S.RECORDING, H.SILENCE, S.KEEPING),
            Row(S.RECORDING, Timeout("recording limit"), S.KEEPING),
            Row(S.RECORDING, H.CALL_LIMIT, S.KEEPING),
            Row(S.KEEPING, Result(KEEP, "message"), S.THANKING),
            Row(S.KEEPING, Result(KEEP, "nothing"), S.REGRETTING),
            Row(S.KEEPING, Result(KEEP, "failed"), Then.END),
            Row(S.THANKING, H.PLAYED, Then.END),
            Row(S.REGRETTING, H.PLAYED, Then.END),
        ),
    )
)
