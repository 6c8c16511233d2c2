"""Runs menu tables for one call. Pure: events in, commands out, time is an argument.

The driver gives each event to :meth:`MenuRunner.receive`, calls :meth:`MenuRunner.timeout` at the time that
:meth:`MenuRunner.next_timeout` says, and does what :meth:`MenuRunner.commands` returns, in that order. The rules are in
:mod:`tandem.um.menu.table`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import assert_never

from tandem.um.menu.begun import Begun
from tandem.um.menu.digits import TypedDigits
from tandem.um.menu.events import (
    CallEnded,
    CallerSilent,
    DigitPressed,
    FactValue,
    HangUp,
    MenuCommand,
    MenuEvent,
    OperationEnded,
    PromptEnded,
)
from tandem.um.menu.table import (
    GRACE_S,
    ChangePlayback,
    Digit,
    Goto,
    Happening,
    Leave,
    MenuInput,
    MenuState,
    MenuTable,
    Number,
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
    Verb,
    Visit,
)

_FAILS = (Happening.NO_INPUT, Happening.WRONG_INPUT)


class _Frame:
    """One application of the call; those below it on the stack wait for its return."""

    __slots__ = ("owed", "state", "table")

    def __init__(self, table: MenuTable) -> None:
        self.table = table
        self.state: Enum = table.states[0].name
        self.owed = set(table.finally_do)


class _FailedAttempts:
    """Counted while states follow each other that name the same attempts."""

    __slots__ = ("_failed", "_name")

    def __init__(self) -> None:
        self._name, self._failed = "", 0

    def count(self, table: MenuTable, state: MenuState) -> None:
        """This state is entered."""
        name = f"{table.name} {state.attempts.name}" if state.attempts else ""
        if name != self._name:
            self._name, self._failed = name, 0

    def reaches(self, limit: float) -> bool:
        """One more failed; whether that is too many."""
        self._failed += 1
        return self._failed >= limit


class MenuRunner:
    """One call, from :meth:`start` until :attr:`is_over`.

    Args:
        tables: by name, as :func:`tandem.um.menu.check.checked_together` returns them.
        start: the name of the first.
        settings: every :class:`Setting` of the tables.
        facts: what is known at the beginning; operations and collected digits add to it.
        call_limit_s: the longest time that the call may take, in seconds.
    """

    def __init__(
        self,
        tables: Mapping[str, MenuTable],
        start: str,
        *,
        settings: Mapping[str, float],
        facts: Mapping[str, FactValue],
        call_limit_s: float,
    ) -> None:
        self.facts = dict(facts)
        self.is_over = False
        self._tables = tables
        self._settings = settings
        self._frames = [_Frame(tables[start])]
        self._call_limit_s, self._in_grace = call_limit_s, False
        self._begun = Begun(self.facts)
        self._typed = TypedDigits()
        self._failed = _FailedAttempts()

    @property
    def state(self) -> Enum:
        """The state of the application that has the call."""
        return self._frames[-1].state

    def commands(self) -> list[MenuCommand]:
        """What is to be done now, once, in this order."""
        commands, self._begun.commands = self._begun.commands, []
        return commands

    def start(self, now: float) -> None:
        """The call was answered."""
        self._begun.timers[Happening.CALL_LIMIT] = now + self._call_limit_s
        self._enter(self.state, (), now)
        self._go_on(now)

    def receive(self, what: MenuEvent, now: float) -> None:
        """Something happened."""
        if self.is_over:
            return
        match what:
            case DigitPressed():
                self._typed.add(what.digit)
            case PromptEnded():
                self._begun.played(what.number)
            case CallerSilent():
                if self._begun.records(what.number):
                    self._happened(Happening.SILENCE, now)
            case OperationEnded():
                if (operation := self._begun.performed(what.number)) is not None:
                    self.facts.update(what.facts)
                    self._happened(Result(operation, what.result), now)
            case CallEnded():
                self._end()
            case _:
                assert_never(what)
        self._go_on(now)

    def next_timeout(self) -> float | None:
        """When :meth:`timeout` is due."""
        return None if self.is_over else min(self._begun.timers.values())

    def timeout(self, now: float) -> None:
        """Time has passed."""
        while not self.is_over and (due := self._begun.due(now)) is not None:
            if due is Happening.CALL_LIMIT:
                self._call_limit(now)
            elif due is Happening.ENTERED:
                self._complete(now)
            else:
                self._happened(due, now)
            self._go_on(now)

    # Rows

    @property
    def _table(self) -> MenuTable:
        return self._frames[-1].table

    @property
    def _menu_state(self) -> MenuState:
        return self._table.by_name[self.state]

    def _row(self, on: MenuInput) -> Row | None:
        return self._table.by_input.get((self.state, on))

    def _happened(self, on: MenuInput, now: float) -> None:
        row = self._row(on)
        if row is None:
            return
        attempts = self._menu_state.attempts
        if attempts is not None and (row.fails or on in _FAILS) and self._failed.reaches(self._number(attempts.limit)):
            row = self._table.by_input[self.state, Happening.TOO_MANY_ATTEMPTS]  # it is there: the table was checked
        self._follow(row, now)

    def _follow(self, row: Row, now: float) -> None:
        then = row.then
        if then is Then.STAY:
            self._do(row.verbs, now)
            return
        self._leave_state()
        if isinstance(then, Enum) and then is not Then.END:
            self._enter(then, row.verbs, now)
            return
        self._do(row.verbs, now)
        if isinstance(then, Goto):
            self._do_owed(self._frames.pop())
            self._begin(then.application, now)
        elif isinstance(then, Leave) and len(self._frames) > 1:
            self._do_owed(self._frames.pop())
            self._failed.count(self._table, self._menu_state)
            self._happened(Returned(then.result), now)
        else:
            self._end()

    def _begin(self, application: str, now: float) -> None:
        self._frames.append(_Frame(self._tables[application]))
        self._enter(self.state, (), now)

    def _enter(self, state: Enum, verbs: tuple[Verb, ...], now: float) -> None:
        self._frames[-1].state = state
        if self._menu_state.clears_type_ahead:
            self._typed.clear()
        self._failed.count(self._table, self._menu_state)
        self._do((*verbs, *self._menu_state.enter), now)

    def _leave_state(self) -> None:
        self._begun.end()
        self._typed.pending = ""

    def _call_limit(self, now: float) -> None:
        row = self._row(Happening.CALL_LIMIT)
        if row is None or self._in_grace:
            self._end()
            return
        self._in_grace = True
        self._begun.timers[Happening.CALL_LIMIT] = now + GRACE_S
        self._follow(row, now)

    def _end(self) -> None:
        self._leave_state()
        for frame in reversed(self._frames):
            self._do_owed(frame)
        self._begun.commands.append(HangUp())
        self.is_over = True

    def _do_owed(self, frame: _Frame) -> None:
        for operation in frame.table.finally_do:
            if operation in frame.owed:
                self._begun.perform(operation, awaited=False)
        frame.owed.clear()

    # Verbs

    def _do(self, verbs: tuple[Verb, ...], now: float) -> None:
        for verb in verbs:
            match verb:
                case Speak() | PlayMessage():
                    self._begun.speak(verb)
                case ChangePlayback() | SkipPlayback():
                    self._begun.adjust(verb)
                case RecordCaller():
                    self._frames[-1].owed.update(self._table.finally_do)
                    self._begun.record(self._number(verb.idle_s))
                case StartTimer():
                    self._begun.timers[Timeout(verb.name)] = now + self._number(verb.after_s)
                case Perform():
                    self._frames[-1].owed.discard(verb.operation)
                    self._begun.perform(verb.operation)
                case Visit():
                    self._leave_state()
                    self._begin(verb.application, now)
                case _:
                    assert_never(verb)

    def _number(self, number: Number) -> float:
        return self._settings[number.name] if isinstance(number, Setting) else number

    # Digits

    def _go_on(self, now: float) -> None:
        """Take the digits that were typed, then play what is to be played, then wait for a digit."""
        while not self.is_over and (self._take_digit(now) or not self._waits(now)):
            pass

    def _waits(self, now: float) -> bool:
        """Play on, or wait for a digit or another event; false if the prompts are over and that has led on."""
        if self._begun.play() or self._typed.pending:
            return True
        if self._begun.has_spoken() and self._row(Happening.PLAYED) is not None:
            self._happened(Happening.PLAYED, now)
            return False
        if self._row(Happening.NO_INPUT) is not None:
            self._begun.timers.setdefault(Happening.NO_INPUT, now + self._number(self._menu_state.first_digit_s))
        return True

    def _take_digit(self, now: float) -> bool:
        """Take one digit, if there is one and this state has use for it now; whether that was so."""
        keys, collect = self._table.digits[self.state], self._menu_state.collect
        if not self._typed.ahead or not (keys or collect):
            return False
        length = int(self._number(collect.length)) if collect else 0
        fits_nothing = not self._typed.pending and not self._typed.begins(keys, length)
        if fits_nothing and self._row(Happening.WRONG_INPUT) is None:
            self._typed.drop()
            return True
        if not self._begun.barge_in():
            return False
        self._begun.timers.pop(Happening.NO_INPUT, None)
        if self._typed.ends_with(collect.terminator if collect else ""):
            self._complete(now)
        elif self._typed.take(keys, length):
            if self._typed.may_grow(keys, length):
                self._begun.timers[Happening.ENTERED] = now + self._number(self._menu_state.inter_digit_s)
            else:
                self._complete(now)
        elif self._typed.pending in keys and not collect:
            self._complete(now)
        else:
            self._wrong(now)
        return True

    def _complete(self, now: float) -> None:
        """What was typed is all that comes."""
        digits, self._typed.pending = self._typed.pending, ""
        self._begun.timers.pop(Happening.ENTERED, None)
        collect = self._menu_state.collect
        if digits in self._table.digits[self.state]:
            self._happened(Digit(digits), now)
        elif collect and len(digits) >= collect.minimum and digits.isdecimal():
            self.facts[collect.into] = digits
            self._happened(Happening.ENTERED, now)
        else:
            self._wrong(now)

    def _wrong(self, now: float) -> None:
        self._typed.clear()
        self._begun.timers.pop(Happening.ENTERED, None)
        self._happened(Happening.WRONG_INPUT, now)
