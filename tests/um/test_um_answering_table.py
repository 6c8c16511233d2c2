"""The table of call answering, without media, loop or clock."""

from hypothesis import given
from hypothesis import strategies as st

from tandem.um.applications.answering import KEEP, TABLE, AnsweringState
from tandem.um.menu.check import checked_together
from tandem.um.menu.events import (
    BeginOperation,
    BeginPrompt,
    BeginRecording,
    CallEnded,
    CallerSilent,
    DigitPressed,
    HangUp,
    MenuCommand,
    OperationEnded,
    PromptEnded,
    StopRecording,
)
from tandem.um.menu.runner import MenuRunner
from tandem.um.menu.table import GRACE_S

S = AnsweringState
CALL_S, RECORDING_S = 60.0, 20.0


class Call:
    """A call for a mailbox; ``done`` is everything that was to be done."""

    def __init__(self) -> None:
        settings = {"idle_s": 4.0, "recording_s": RECORDING_S}
        facts = {"extension": "4101"}
        self.runner = MenuRunner(
            checked_together([TABLE]), TABLE.name, settings=settings, facts=facts, call_limit_s=CALL_S
        )
        self.now = 0.0
        self.done: list[MenuCommand] = []
        self.runner.start(self.now)
        self.take()

    def take(self) -> None:
        self.done += self.runner.commands()

    def last(self, kind: type[BeginPrompt | BeginRecording | BeginOperation]) -> int:
        """The number of what was begun last of a kind; 0 if nothing was."""
        return next((each.number for each in reversed(self.done) if isinstance(each, kind)), 0)

    def happens(self, what: str) -> "Call":
        match what:
            case "played":
                self.runner.receive(PromptEnded(self.last(BeginPrompt)), self.now)
            case "silence":
                self.runner.receive(CallerSilent(self.last(BeginRecording)), self.now)
            case "message" | "nothing":
                self.runner.receive(OperationEnded(self.last(BeginOperation), what), self.now)
            case "hangs up":
                self.runner.receive(CallEnded(), self.now)
            case "stale":
                for number in range(20):
                    for kind in (PromptEnded, CallerSilent):
                        if number not in (self.last(BeginPrompt), self.last(BeginRecording)):
                            self.runner.receive(kind(number), self.now)
            case "1" | "#":
                self.runner.receive(DigitPressed(what), self.now)
            case seconds:
                self.now += float(seconds)
                self.runner.timeout(self.now)
        self.take()
        return self

    def after(self, *what: str) -> "Call":
        for each in what:
            self.happens(each)
        return self

    @property
    def kept(self) -> int:
        return sum(isinstance(each, BeginOperation) and each.operation == KEEP for each in self.done)

    @property
    def spoken(self) -> list[str]:
        return [each.phrases[-1].sentence for each in self.done if isinstance(each, BeginPrompt)]


HEARD = ("played", "played")


def test_a_message_is_greeted_recorded_kept_and_thanked_for() -> None:
    call = Call().after(*HEARD, "silence", "message", "played")
    assert call.spoken == ["answering-greeting", "tone", "message-sent"]
    assert call.kept == 1 and call.runner.is_over and call.done[-1] == HangUp()


def test_the_recording_has_stopped_before_it_is_kept() -> None:
    done = Call().after(*HEARD, "#").done
    kept = next(each for each in done if isinstance(each, BeginOperation))
    assert done.index(StopRecording()) < done.index(kept)


def test_a_recording_that_is_no_message_is_regretted() -> None:
    assert Call().after(*HEARD, "#", "nothing").spoken[-1] == "nothing-recorded"


def test_pound_skips_to_the_tone_and_another_digit_does_not() -> None:
    assert Call().after("1").runner.state is S.GREETING
    assert Call().after("#").runner.state is S.TONE


def test_pound_during_the_tone_does_not_end_the_recording() -> None:
    assert Call().after("#", "#", "#", "played").runner.state is S.RECORDING


def test_the_limits_of_recording_and_call_end_the_recording() -> None:
    assert Call().after(*HEARD, "20").runner.state is S.KEEPING
    assert Call().after("45", *HEARD, "15").runner.state is S.KEEPING
    assert Call().after("59", "played", "1.5").runner.is_over


def test_the_limit_of_a_recording_does_not_cut_the_thanks() -> None:
    call = Call().after(*HEARD, "19", "#", "message", "2")
    assert call.runner.state is S.THANKING and not call.runner.is_over


def test_a_hang_up_keeps_the_message_in_every_state() -> None:
    for steps in ((), ("#",), HEARD, (*HEARD, "#"), (*HEARD, "#", "message"), (*HEARD, "#", "nothing")):
        call = Call().after(*steps, "hangs up")
        assert call.runner.is_over and call.kept == 1, steps


STEPS = st.sampled_from(["played", "silence", "message", "nothing", "stale", "1", "#", "0.5", "3", "21", "hangs up"])


@given(st.lists(STEPS, max_size=40))
def test_no_sequence_of_inputs_loses_the_recording_or_leaves_the_call_open(steps: list[str]) -> None:
    call = Call().after(*steps)
    recorded = sum(isinstance(each, BeginRecording) for each in call.done)
    assert recorded <= 1
    call.after(str(CALL_S), str(GRACE_S))  # nothing else happens any more
    assert call.runner.is_over and call.runner.next_timeout() is None
    assert call.kept == 1 and call.done.count(HangUp()) == 1 and call.done[-1] == HangUp()
    assert call.done.count(StopRecording()) == recorded
