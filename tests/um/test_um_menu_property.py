"""Whatever happens in whatever order: menus that use every verb end with their call, and nothing goes on behind them."""

from enum import Enum, auto

from hypothesis import given
from hypothesis import strategies as st

from tandem.um.menu.check import checked, checked_together
from tandem.um.menu.events import (
    AdjustFile,
    BeginFile,
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
    StopPlaying,
    StopRecording,
)
from tandem.um.menu.runner import MenuRunner
from tandem.um.menu.table import (
    GRACE_S,
    Attempts,
    BargeIn,
    ChangePlayback,
    Collect,
    Digit,
    Fact,
    Goto,
    Happening,
    Leave,
    MenuOperation,
    MenuState,
    MenuTable,
    Perform,
    PlayMessage,
    RecordCaller,
    Result,
    Returned,
    Row,
    SkipPlayback,
    Speak,
    StartTimer,
    Then,
    Timeout,
    Visit,
    say,
)


class Login(Enum):
    WELCOME = auto()
    PIN = auto()
    CHECKING = auto()
    LISTENING = auto()
    GOODBYE = auto()


class Reply(Enum):
    RECORDING = auto()
    REVIEW = auto()


L, R, H = Login, Reply, Happening
CHECK, SEND, LOG = MenuOperation("check", ("right", "wrong")), MenuOperation("send"), MenuOperation("log")
PIN = Attempts("pin", 3)
SORRY = (Speak((say("sorry"),)),)
LOGIN = checked(
    MenuTable(
        "login",
        (
            MenuState(L.WELCOME, (Speak((say("welcome"),), BargeIn.WAITS),)),
            MenuState(L.PIN, (Speak((say("pin"),)),), collect=Collect(into="pin", length=6, minimum=4), attempts=PIN),
            MenuState(L.CHECKING, (Perform(CHECK),), attempts=PIN),
            MenuState(
                L.LISTENING, (Speak((say("header", pin=Fact("pin")),)), PlayMessage(Fact("file"))), inter_digit_s=1
            ),
            MenuState(L.GOODBYE, (Visit("reply"),)),
        ),
        (
            Row(L.WELCOME, H.PLAYED, L.PIN),
            Row(L.PIN, H.ENTERED, L.CHECKING),
            Row(L.PIN, Digit("*"), Then.END),
            Row(L.PIN, H.NO_INPUT, L.PIN, SORRY),
            Row(L.PIN, H.WRONG_INPUT, L.PIN, SORRY),
            Row(L.PIN, H.TOO_MANY_ATTEMPTS, Then.END),
            Row(L.CHECKING, Result(CHECK, "right"), L.LISTENING),
            Row(L.CHECKING, Result(CHECK, "wrong"), L.PIN, SORRY, fails=True),
            Row(L.CHECKING, H.TOO_MANY_ATTEMPTS, Then.END),
            Row(L.LISTENING, Digit("2"), Then.STAY, (ChangePlayback.PAUSE_OR_RESUME,)),
            Row(L.LISTENING, Digit("3"), Then.STAY, (SkipPlayback(5),)),
            Row(L.LISTENING, Digit("33"), Then.STAY, (SkipPlayback(3600),)),
            Row(L.LISTENING, Digit("8"), L.GOODBYE),
            Row(L.LISTENING, Digit("#"), L.LISTENING),
            Row(L.LISTENING, H.PLAYED, L.GOODBYE),
            Row(L.GOODBYE, Returned("again"), L.LISTENING),
        ),
        (LOG,),
    )
)
REPLY = checked(
    MenuTable(
        "reply",
        (
            MenuState(R.RECORDING, (RecordCaller(4), StartTimer("limit", 30)), clears_type_ahead=True),
            MenuState(R.REVIEW, (Speak((say("review"),)),)),
        ),
        (
            Row(R.RECORDING, Digit("#"), R.REVIEW),
            Row(R.RECORDING, H.SILENCE, R.REVIEW),
            Row(R.RECORDING, Timeout("limit"), R.REVIEW),
            Row(R.RECORDING, H.CALL_LIMIT, R.REVIEW),
            Row(R.REVIEW, Digit("1"), Leave("again"), (Perform(SEND),)),
            Row(R.REVIEW, Digit("3"), R.RECORDING),
            Row(R.REVIEW, Digit("*"), Goto("login")),
            Row(R.REVIEW, H.NO_INPUT, Leave("again")),
        ),
        (SEND,),
    )
)
CALL_S = 120.0
STEPS = st.sampled_from(
    ["played", "silent", "right", "wrong", "stale", "hangs up", "1234#", "12345#", "33", *"0123456789*#"]
    + [f"wait {seconds}" for seconds in (0.5, 1, 3, 5, 31, 61)]
)


class Driver:
    """Does what a driver does, and checks that it makes sense."""

    def __init__(self) -> None:
        tables = checked_together([LOGIN, REPLY])
        self.runner = MenuRunner(tables, "login", settings={}, facts={"file": "x.wav"}, call_limit_s=CALL_S)
        self.now = 0.0
        self.playing: int | None = None
        self.recording: int | None = None
        self.operations: dict[int, MenuOperation] = {}
        self.sent = self.recorded = self.logged = 0
        self.hung_up = False
        self.runner.start(0.0)
        self.obey()

    def obey(self) -> None:
        for command in self.runner.commands():
            assert not self.hung_up, "nothing comes after the end"
            self.do(command)

    def do(self, command: MenuCommand) -> None:
        match command:
            case BeginPrompt() | BeginFile():
                assert self.playing is None, "one prompt at a time"
                self.playing = command.number
            case AdjustFile():
                assert self.playing == command.number
            case StopPlaying():
                assert self.playing is not None
                self.playing = None
            case BeginRecording():
                assert self.recording is None, "one recording at a time"
                self.recording, self.recorded = command.number, self.recorded + 1
            case StopRecording():
                assert self.recording is not None
                self.recording = None
            case BeginOperation():
                assert self.recording is None, "a recording ends before it is sent"
                self.operations[command.number] = command.operation
                self.sent += command.operation == SEND
                self.logged += command.operation == LOG
            case HangUp():
                self.hung_up = True

    def step(self, what: str) -> None:
        match what:
            case "played":
                number, self.playing = self.playing, None
                if number is not None:
                    self.runner.receive(PromptEnded(number), self.now)
            case "silent":
                self.runner.receive(CallerSilent(self.recording or 0), self.now)
            case "right" | "wrong":
                for number, operation in list(self.operations.items()):
                    if operation == CHECK:
                        del self.operations[number]
                        self.runner.receive(OperationEnded(number, what), self.now)
                        self.obey()
            case "stale":
                before = self.runner.state, self.runner.next_timeout()
                for number in set(range(200)) - {self.playing, self.recording, *self.operations}:
                    for event in (PromptEnded(number), CallerSilent(number), OperationEnded(number, "right")):
                        self.runner.receive(event, self.now)
                assert (self.runner.state, self.runner.next_timeout()) == before
            case "hangs up":
                self.runner.receive(CallEnded(), self.now)
            case _ if what.startswith("wait "):
                self.wait(float(what[5:]))
            case _:
                for digit in what:
                    self.runner.receive(DigitPressed(digit), self.now)
        self.obey()

    def wait(self, seconds: float) -> None:
        """To each moment on its own, as a driver's timer does."""
        until = self.now + seconds
        while (at := self.runner.next_timeout()) is not None and at <= until:
            assert at >= self.now, "no timer is due in the past"
            self.now = at
            self.runner.timeout(at)
            self.obey()
        self.now = until


@given(st.lists(STEPS, max_size=60))
def test_whatever_happens_menus_end_with_their_call_and_lose_no_recording(steps: list[str]) -> None:
    call = Driver()
    for each in steps:
        call.step(each)
        next_timeout = call.runner.next_timeout()
        assert call.runner.is_over or (next_timeout is not None and next_timeout <= CALL_S + GRACE_S)
    call.wait(CALL_S + GRACE_S)
    assert call.runner.is_over and call.hung_up
    assert call.playing is None and call.recording is None
    assert (call.sent > 0) >= (call.recorded > 0)
    assert call.logged >= 1
