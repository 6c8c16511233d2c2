"""The runner of menus, on small tables: no media, no loop, no clock."""

from enum import Enum, auto

import pytest

from tandem.um.errors import UnsoundMenu
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
    MenuEvent,
    OperationEnded,
    Phrase,
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
    Setting,
    SkipPlayback,
    Speak,
    StartTimer,
    Then,
    Timeout,
    Visit,
    say,
)


class A(Enum):
    ONE = auto()
    TWO = auto()
    THREE = auto()


H = Happening
HELLO, BYE, NOTICE = Speak((say("hello"),)), Speak((say("bye"),)), Speak((say("notice"),), BargeIn.WAITS)
MESSAGE = Speak((say("message"),), BargeIn.PLAYS_ON)
LAST = MenuState(A.TWO, (BYE,))
LAST_ROW = Row(A.TWO, H.PLAYED, Then.END)


class Caller:
    """A call; ``done`` is what the runner wanted since the last look, ``now`` moves only by :meth:`wait`."""

    def __init__(self, *tables: MenuTable, call_limit_s: float = 600) -> None:
        self.now = 1000.0
        self.runner = MenuRunner(
            checked_together(checked(table) for table in tables),
            tables[0].name,
            settings={"limit": 2},
            facts={},
            call_limit_s=call_limit_s,
        )
        self.runner.start(self.now)

    @property
    def state(self) -> Enum:
        return self.runner.state

    def done(self) -> list[MenuCommand]:
        return self.runner.commands()

    def said(self) -> list[str]:
        return [p.sentence for each in self.done() if isinstance(each, BeginPrompt) for p in each.phrases]

    def does(self, event: MenuEvent) -> "Caller":
        self.runner.receive(event, self.now)
        return self

    def press(self, digits: str) -> "Caller":
        for digit in digits:
            self.does(DigitPressed(digit))
        return self

    def wait(self, seconds: float) -> "Caller":
        self.now += seconds
        self.runner.timeout(self.now)
        return self


def menu(
    *rows: Row, states: tuple[MenuState, ...], name: str = "menu", finally_do: tuple[MenuOperation, ...] = ()
) -> MenuTable:
    return MenuTable(name=name, states=states, rows=rows, finally_do=finally_do)


def key_menu(prompt: Speak = HELLO, *rows: Row, **state: object) -> MenuTable:
    """ONE listens for 1 (to TWO), 3 and 33 (both to THREE), and apologizes."""
    first = MenuState(A.ONE, (prompt,), **state)  # type: ignore[arg-type]
    return menu(
        Row(A.ONE, Digit("1"), A.TWO),
        Row(A.ONE, Digit("3"), A.THREE, (Speak((say("three"),)),)),
        Row(A.ONE, Digit("33"), A.THREE, (Speak((say("thirty-three"),)),)),
        Row(A.ONE, H.NO_INPUT, A.ONE, (Speak((say("nothing"),)),)),
        *rows,
        LAST_ROW,
        Row(A.THREE, H.PLAYED, Then.END),
        states=(first, LAST, MenuState(A.THREE, (BYE,))),
    )


WRONG = Row(A.ONE, H.WRONG_INPUT, A.ONE, (Speak((say("wrong"),)),))


def test_a_digit_stops_a_prompt_and_counts() -> None:
    call = Caller(key_menu())
    assert call.done() == [BeginPrompt(1, (Phrase("hello"),))]
    call.press("1")
    assert call.done() == [StopPlaying(), BeginPrompt(2, (Phrase("bye"),))] and call.state is A.TWO


def test_what_an_earlier_state_began_counts_for_nothing() -> None:
    call = Caller(key_menu()).press("1").does(PromptEnded(1))
    assert not call.runner.is_over
    assert call.does(PromptEnded(2)).runner.is_over


def test_a_digit_that_fits_nothing_is_ignored_or_is_wrong_input() -> None:
    assert Caller(key_menu()).press("5").said() == ["hello"]
    assert Caller(key_menu(HELLO, WRONG)).press("5").said() == ["hello", "wrong"]


def test_the_longer_of_two_keys_wins_in_time() -> None:
    assert Caller(key_menu()).press("33").said()[1:] == ["thirty-three"]
    assert Caller(key_menu()).press("3").wait(2.9).press("3").said()[1:] == ["thirty-three"]
    assert Caller(key_menu()).press("3").wait(3).press("3").said()[1:] == ["three"]
    assert Caller(key_menu()).press("37").said()[1:] == ["three"]


def test_an_announcement_is_heard_to_its_end_and_the_digit_counts_then() -> None:
    call = Caller(key_menu(NOTICE)).press("1")
    assert call.said() == ["notice"] and call.state is A.ONE
    assert call.does(PromptEnded(1)).state is A.TWO


def test_type_ahead_reaches_later_states_and_skips_their_prompts() -> None:
    def listening(name: A, then: A | Then, *, clears: bool) -> tuple[MenuState, tuple[Row, ...]]:
        rows = Row(name, Digit("1"), then), Row(name, H.NO_INPUT, Then.END)
        return MenuState(name, (Speak((say(name.name),)),), clears_type_ahead=clears), rows

    for clears, said in ((False, ["ONE"]), (True, ["ONE", "TWO"])):
        first, second = listening(A.ONE, A.TWO, clears=False), listening(A.TWO, Then.END, clears=clears)
        # Both digits are there before the first is taken: they came while the notice of another table was heard.
        notice = MenuTable("notice", (MenuState(A.ONE, (NOTICE,)),), (Row(A.ONE, H.PLAYED, Goto("menu")),))
        call = Caller(notice, menu(*first[1], *second[1], states=(first[0], second[0]))).press("11")
        assert call.said() == ["notice"]
        call.does(PromptEnded(1))
        assert call.runner.is_over is not clears
        assert call.said() == ([] if not clears else said[1:])


def test_a_message_plays_on_while_keys_that_stay_do_their_work() -> None:
    rewind = MenuOperation("rewind")
    table = menu(
        Row(A.ONE, Digit("1"), Then.STAY, (Perform(rewind),)),
        Row(A.ONE, Digit("#"), A.TWO),
        Row(A.ONE, H.PLAYED, A.TWO),
        LAST_ROW,
        states=(MenuState(A.ONE, (MESSAGE,)), LAST),
    )
    call = Caller(table)
    call.done()
    assert call.press("1").done() == [BeginOperation(2, rewind)]
    assert call.press("#").done() == [StopPlaying(), BeginPrompt(3, (Phrase("bye"),))]


def test_a_file_is_paused_and_skipped_while_it_plays() -> None:
    table = menu(
        Row(A.ONE, Digit("1"), Then.STAY, (SkipPlayback(-5),)),
        Row(A.ONE, Digit("2"), Then.STAY, (ChangePlayback.PAUSE_OR_RESUME,)),
        Row(A.ONE, H.PLAYED, Then.END),
        states=(MenuState(A.ONE, (HELLO, PlayMessage(Fact("file")))),),
    )
    call = Caller(table)
    call.runner.facts["file"] = "x.wav"
    assert call.press("2").done()[1:] == [
        StopPlaying(),
        BeginFile(2, "x.wav"),
    ]  # the prompt gives way, nothing is paused
    assert call.press("12").done() == [
        AdjustFile(2, SkipPlayback(-5)),
        AdjustFile(2, ChangePlayback.PAUSE_OR_RESUME),
    ]
    assert call.does(PromptEnded(2)).runner.is_over


def collecting(**collect: object) -> MenuTable:
    digits = Collect(into="number", length=4, **collect)  # type: ignore[arg-type]
    return menu(
        Row(A.ONE, H.ENTERED, A.TWO),
        Row(A.ONE, Digit("0"), Then.END),
        Row(A.ONE, Digit("#"), Then.END),
        Row(A.ONE, H.NO_INPUT, A.ONE, (Speak((say("nothing"),)),)),
        Row(A.ONE, H.WRONG_INPUT, A.ONE, (Speak((say("wrong"),)),)),
        Row(A.ONE, H.TOO_MANY_ATTEMPTS, Then.END),
        LAST_ROW,
        states=(
            MenuState(A.ONE, (HELLO,), collect=digits, attempts=Attempts("number", Setting("limit"))),
            MenuState(A.TWO, (Speak((say("you-said", number=Fact("number")),)),)),
        ),
    )


@pytest.mark.parametrize(
    ("digits", "number"), [("4101", "4101"), ("41#", "41"), ("4#", "4"), ("0101", "0101"), ("41019", "4101")]
)
def test_digits_are_collected_to_a_length_or_a_terminator(digits: str, number: str) -> None:
    call = Caller(collecting()).press(digits)
    assert call.state is A.TWO
    assert call.done()[-1] == BeginPrompt(2, (Phrase("you-said", (("number", number),)),))


def test_a_pause_ends_a_number_or_makes_a_key_of_its_first_digit() -> None:
    assert Caller(collecting()).press("41").wait(3).runner.facts == {"number": "41"}
    assert Caller(collecting()).press("0").wait(3).runner.is_over
    assert Caller(collecting()).press("#").runner.is_over
    assert Caller(collecting(minimum=3)).press("41").wait(3).said() == ["hello", "wrong"]
    assert Caller(collecting()).press("41*").said() == ["hello", "wrong"]


def test_the_first_digit_has_its_time_after_the_prompt() -> None:
    call = Caller(collecting()).wait(60)
    assert call.said() == ["hello"]
    assert call.does(PromptEnded(1)).wait(4.9).said() == []
    assert call.wait(0.1).said() == ["nothing"]
    assert call.does(PromptEnded(2)).said() == ["hello"]


def test_attempts_are_counted_and_their_limit_leads_elsewhere() -> None:
    call = Caller(collecting()).press("*")
    assert not call.runner.is_over
    call.does(PromptEnded(2)).does(PromptEnded(3)).wait(5)
    assert call.runner.is_over


def test_attempts_last_over_the_states_that_name_them() -> None:
    check = MenuOperation("check", ("right", "wrong"))
    pin = Attempts("pin", 2)
    table = menu(
        Row(A.ONE, H.ENTERED, A.TWO),
        Row(A.ONE, H.NO_INPUT, Then.END),
        Row(A.ONE, H.WRONG_INPUT, A.ONE),
        Row(A.ONE, H.TOO_MANY_ATTEMPTS, Then.END),
        Row(A.TWO, Result(check, "right"), A.THREE),
        Row(A.TWO, Result(check, "wrong"), A.ONE, fails=True),
        Row(A.TWO, H.TOO_MANY_ATTEMPTS, Then.END, (Perform(MenuOperation("lock")),)),
        Row(A.THREE, H.PLAYED, Then.END),
        states=(
            MenuState(A.ONE, (HELLO,), collect=Collect(into="pin", length=4), attempts=pin),
            MenuState(A.TWO, (Perform(check),), attempts=pin),
            MenuState(A.THREE, (BYE,)),
        ),
    )
    call = Caller(table).press("1111").does(OperationEnded(2, "wrong"))
    assert call.state is A.ONE
    call.press("2222")
    (checking,) = [each for each in call.done() if isinstance(each, BeginOperation)][-1:]
    call.does(OperationEnded(checking.number, "wrong"))
    assert call.runner.is_over
    assert call.done() == [BeginOperation(checking.number + 1, MenuOperation("lock")), HangUp()]


def recording(send: MenuOperation) -> MenuTable:
    return menu(
        Row(A.ONE, H.SILENCE, A.TWO),
        Row(A.ONE, Timeout("limit"), A.TWO),
        LAST_ROW,
        states=(MenuState(A.ONE, (RecordCaller(4), StartTimer("limit", 60))), LAST),
        finally_do=(send,),
    )


def test_a_timer_and_a_recording_end_with_their_state() -> None:
    send = MenuOperation("send")
    call = Caller(recording(send))
    assert call.done() == [BeginRecording(1, 4)]
    assert call.does(CallerSilent(7)).done() == []
    assert call.does(CallerSilent(1)).done() == [StopRecording(), BeginPrompt(2, (Phrase("bye"),))]
    assert call.does(CallerSilent(1)).wait(100).state is A.TWO and call.done() == []
    assert Caller(recording(send)).wait(60).state is A.TWO


def test_what_is_owed_is_done_however_the_call_ends() -> None:
    send = MenuOperation("send")
    assert Caller(recording(send)).does(CallEnded()).done()[1:] == [StopRecording(), BeginOperation(2, send), HangUp()]
    assert Caller(recording(send), call_limit_s=5).wait(5).done()[2:] == [BeginOperation(2, send), HangUp()]


def test_at_the_call_limit_a_state_may_say_goodbye_but_not_for_ever() -> None:
    endless = menu(Row(A.ONE, H.PLAYED, A.ONE), Row(A.ONE, H.CALL_LIMIT, A.ONE), states=(MenuState(A.ONE, (HELLO,)),))
    call = Caller(endless, call_limit_s=10).wait(10)
    assert call.said() == ["hello", "hello"] and not call.runner.is_over
    assert call.wait(GRACE_S).runner.is_over and call.runner.next_timeout() is None


def test_a_call_is_handed_to_another_application_and_comes_back() -> None:
    send = MenuOperation("send")
    main = menu(
        Row(A.ONE, Returned("main menu"), A.TWO),
        LAST_ROW,
        states=(MenuState(A.ONE, (Visit("mail"),)), LAST),
        name="main",
        finally_do=(MenuOperation("log"),),
    )
    mail = menu(
        Row(A.ONE, Digit("*"), Leave("main menu")),
        Row(A.ONE, H.NO_INPUT, Then.END),
        states=(MenuState(A.ONE, (HELLO,)),),
        name="mail",
        finally_do=(send,),
    )
    assert Caller(main, mail).press("*").done()[1:] == [
        StopPlaying(),
        BeginOperation(2, send),
        BeginPrompt(3, (Phrase("bye"),)),
    ]
    call = Caller(main, mail).does(CallEnded())
    owed = [each.operation.name for each in call.done() if isinstance(each, BeginOperation)]
    assert owed == ["send", "log"]


def test_tables_together_know_each_other() -> None:
    main = menu(Row(A.ONE, Returned("x"), Then.END), states=(MenuState(A.ONE, (Visit("mail"),)),), name="main")
    mail = menu(Row(A.ONE, H.PLAYED, Leave("y")), states=(MenuState(A.ONE, (HELLO,)),), name="mail")
    with pytest.raises(UnsoundMenu, match="ONE visits mail, which does not exist"):
        checked_together([main])
    with pytest.raises(UnsoundMenu, match="no row for mail returning 'y'"):
        checked_together([main, mail])
    with pytest.raises(UnsoundMenu, match="two tables mail"):
        checked_together([mail, mail])


OPERATION = MenuOperation("check", ("right",))


@pytest.mark.parametrize(
    ("states", "rows", "why"),
    [
        ((LAST, LAST), (LAST_ROW,), "state TWO is there twice"),
        ((LAST,), (LAST_ROW, LAST_ROW), "two rows for"),
        ((LAST,), (Row(A.TWO, H.PLAYED, A.ONE),), "leads to ONE, which is not a state"),
        ((LAST,), (LAST_ROW, Row(A.ONE, H.PLAYED, A.TWO)), "starts from ONE"),
        ((LAST, MenuState(A.ONE, (HELLO,))), (LAST_ROW, Row(A.ONE, H.PLAYED, Then.END)), "nothing leads to ONE"),
        ((LAST,), (Row(A.TWO, Digit("1"), Then.END),), "lasts for ever"),
        ((MenuState(A.TWO, (BYE, StartTimer("t", 5))),), (LAST_ROW,), "no row for timer"),
        ((LAST,), (LAST_ROW, Row(A.TWO, Timeout("t"), Then.END)), "never begins"),
        ((MenuState(A.TWO, (BYE, Perform(OPERATION))),), (LAST_ROW,), "no row for operation"),
        ((MenuState(A.TWO, (BYE, RecordCaller(4))),), (LAST_ROW,), "row for SILENCE go together"),
        ((MenuState(A.TWO, (RecordCaller(4),)),), (Row(A.TWO, H.SILENCE, Then.END),), "a timer that limits it"),
        ((MenuState(A.TWO),), (LAST_ROW,), "speaks nothing"),
        ((MenuState(A.TWO, (BYE,), collect=Collect(into="x", length=4)),), (LAST_ROW,), "NO_INPUT, WRONG_INPUT"),
        ((LAST,), (LAST_ROW, Row(A.TWO, Digit("12"), Then.END)), "need rows for WRONG_INPUT"),
        ((LAST,), (LAST_ROW, Row(A.TWO, Digit("x"), Then.END)), "is no DTMF"),
        ((LAST,), (LAST_ROW, Row(A.TWO, H.TOO_MANY_ATTEMPTS, Then.END)), "no attempt fails"),
        ((LAST,), (Row(A.TWO, H.PLAYED, Then.END, (BYE,)),), "can only perform operations"),
        ((MenuState(A.TWO, (BYE, Visit("x"))),), (LAST_ROW, Row(A.TWO, Returned("y"), Then.END)), "does nothing else"),
    ],
)
def test_an_unsound_table_is_refused(states: tuple[MenuState, ...], rows: tuple[Row, ...], why: str) -> None:
    with pytest.raises(UnsoundMenu, match=why):
        checked(menu(*rows, states=states))
