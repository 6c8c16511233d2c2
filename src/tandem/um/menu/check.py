"""What a sound table is. A table is checked once, when its module is imported; the errors are a programmer's."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import TypeVar

from tandem.um.errors import UnsoundMenu
from tandem.um.menu.table import (
    DIGITS,
    Collect,
    Goto,
    Happening,
    Leave,
    MenuInput,
    MenuState,
    MenuTable,
    Perform,
    PlayMessage,
    RecordCaller,
    Result,
    Returned,
    Speak,
    StartTimer,
    Then,
    Timeout,
    Verb,
    Visit,
)

V = TypeVar("V", bound=Verb)


def checked(table: MenuTable) -> MenuTable:
    """The same table.

    Raises:
        UnsoundMenu: with everything that is wrong with it.
    """
    problems = list(_names(table)) or [problem for check in _CHECKS for problem in check(table)]
    if problems:
        raise UnsoundMenu(f"menu table {table.name}: {'; '.join(problems)}")
    return table


def checked_together(tables: Iterable[MenuTable]) -> dict[str, MenuTable]:
    """Tables that hand the call to each other, by name.

    Raises:
        UnsoundMenu: a name is missing or there twice, or nothing handles what an application returns with.
    """
    all_tables = list(tables)
    by_name = {table.name: table for table in all_tables}
    problems = [f"there are two tables {name}" for name in _twice(table.name for table in all_tables)]
    for table in all_tables:
        problems += _calls_out(table, by_name)
    if problems:
        raise UnsoundMenu("; ".join(problems))
    return by_name


def _calls_out(table: MenuTable, by_name: dict[str, MenuTable]) -> Iterator[str]:
    for row in table.rows:
        if isinstance(row.then, Goto) and row.then.application not in by_name:
            yield f"{table.name}: {_shown(row.state)} goes to {row.then.application}, which does not exist"
    for state in table.by_name:
        for visit in _all(table, state, Visit):
            visited = by_name.get(visit.application)
            if visited is None:
                yield f"{table.name}: {_shown(state)} visits {visit.application}, which does not exist"
                continue
            for result in sorted({row.then.result for row in visited.rows if isinstance(row.then, Leave)}):
                if (state, Returned(result)) not in table.by_input:
                    yield f"{table.name}: {_shown(state)} has no row for {visit.application} returning {result!r}"


def _names(table: MenuTable) -> Iterator[str]:
    yield from (f"state {_shown(name)} is there twice" for name in _twice(state.name for state in table.states))
    for state, on in _twice((row.state, row.on) for row in table.rows):
        yield f"{_shown(state)} has two rows for {on}"
    known = {state.name for state in table.states}
    for row in table.rows:
        if row.state not in known:
            yield f"a row starts from {_shown(row.state)}, which is not a state"
        if isinstance(row.then, Enum) and not isinstance(row.then, Then) and row.then not in known:
            yield f"a row of {_shown(row.state)} leads to {_shown(row.then)}, which is not a state"
    if not table.states:
        yield "it has no states"


def _reachable(table: MenuTable) -> Iterator[str]:
    found, waiting = set(), [table.states[0].name]
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            waiting += [row.then for row in table.rows if row.state is state and row.then in table.by_name]
    yield from (f"nothing leads to {_shown(state)}" for state in table.by_name if state not in found)


def _ends_alone(table: MenuTable) -> Iterator[str]:
    """A caller who does nothing leaves every state: prompts, timers, operations or visits end it."""
    for state in table.by_name:
        alone = (Happening.PLAYED, Happening.NO_INPUT, Happening.SILENCE)
        if not any(
            row.then is not Then.STAY and (row.on in alone or isinstance(row.on, Timeout | Result | Returned))
            for row in table.rows
            if row.state is state
        ):
            yield f"{_shown(state)} lasts for ever when the caller does nothing"


def _timers(table: MenuTable) -> Iterator[str]:
    for state in table.by_name:
        started: set[MenuInput] = {Timeout(verb.name) for verb in _all(table, state, StartTimer)}
        yield from _agree(table, state, started, Timeout, "timer")


def _operations(table: MenuTable) -> Iterator[str]:
    for state in table.by_name:
        begun = {verb.operation for verb in _all(table, state, Perform)}
        results: set[MenuInput] = {Result(operation, result) for operation in begun for result in operation.results}
        yield from _agree(table, state, results, Result, "operation")


def _visits(table: MenuTable) -> Iterator[str]:
    for state in table.by_name:
        visits = list(_all(table, state, Visit))
        if bool(visits) != any(row.state is state and isinstance(row.on, Returned) for row in table.rows):
            yield f"{_shown(state)}: a visit and rows for its return go together"
        if visits and any(not isinstance(verb, Visit | Perform) for verb in table.verbs_in(state)):
            yield f"{_shown(state)}: a state that visits an application does nothing else"


def _recordings(table: MenuTable) -> Iterator[str]:
    for state in table.by_name:
        records = any(_all(table, state, RecordCaller))
        if records != ((state, Happening.SILENCE) in table.by_input):
            yield f"{_shown(state)}: a recording and a row for SILENCE go together"
        if records and not any(_all(table, state, StartTimer)):
            yield f"{_shown(state)}: a recording needs a timer that limits it"


def _prompts(table: MenuTable) -> Iterator[str]:
    for state in table.by_name:
        played = (state, Happening.PLAYED) in table.by_input
        if played and not any(isinstance(verb, Speak | PlayMessage) for verb in table.by_name[state].enter):
            yield f"{_shown(state)}: a row for PLAYED, but its entry speaks nothing"
        if played and (state, Happening.NO_INPUT) in table.by_input:
            yield f"{_shown(state)}: PLAYED comes before NO_INPUT; one of them is enough"


def _digits(table: MenuTable) -> Iterator[str]:
    for state in table.states:
        digits = table.digits[state.name]
        yield from (
            f"{_shown(state.name)}: {each!r} is no DTMF" for each in digits if not each or set(each) - set(DIGITS)
        )
        needed = {Happening.ENTERED, Happening.NO_INPUT, Happening.WRONG_INPUT} if state.collect else set()
        if _may_be_cut_short(digits, state.collect):
            needed.add(Happening.WRONG_INPUT)
        missing = [on.name for on in Happening if on in needed and (state.name, on) not in table.by_input]
        if missing:
            yield f"{_shown(state.name)}: its digits need rows for {', '.join(missing)}"
        if not state.collect and (state.name, Happening.ENTERED) in table.by_input:
            yield f"{_shown(state.name)}: a row for ENTERED, but it collects nothing"
        if not (digits or state.collect):
            for on in (Happening.NO_INPUT, Happening.WRONG_INPUT):
                if (state.name, on) in table.by_input:
                    yield f"{_shown(state.name)}: a row for {on.name}, but it takes no digits"


def _may_be_cut_short(digits: frozenset[str], collect: Collect | None) -> bool:
    return bool(collect) or any(each[:end] not in digits for each in digits for end in range(1, len(each)))


def _attempts(table: MenuTable) -> Iterator[str]:
    for state in table.states:
        limited = (state.name, Happening.TOO_MANY_ATTEMPTS) in table.by_input
        fails = any(_fails(table, state))
        if bool(state.attempts) and fails and not limited:
            yield f"{_shown(state.name)}: attempts need a row for TOO_MANY_ATTEMPTS"
        if limited and not (state.attempts and fails):
            yield f"{_shown(state.name)}: a row for TOO_MANY_ATTEMPTS, but no attempt fails"
        if not state.attempts and any(row.fails for row in table.rows if row.state is state.name):
            yield f"{_shown(state.name)}: a row fails, but attempts are not counted"


def _fails(table: MenuTable, state: MenuState) -> Iterator[bool]:
    for row in table.rows:
        if row.state is state.name:
            yield row.fails or row.on in (Happening.NO_INPUT, Happening.WRONG_INPUT)


def _endings(table: MenuTable) -> Iterator[str]:
    for row in table.rows:
        leaves = row.then is Then.END or isinstance(row.then, Leave | Goto)
        if leaves and any(not isinstance(verb, Perform) for verb in row.verbs):
            yield f"{_shown(row.state)}: a row that ends the table can only perform operations"


def _agree(table: MenuTable, state: Enum, begun: set[MenuInput], kind: type, what: str) -> Iterator[str]:
    handled = {row.on for row in table.rows if row.state is state and isinstance(row.on, kind)}
    yield from (f"{_shown(state)} has no row for {what} {each}" for each in begun - handled)
    yield from (f"{_shown(state)} has a row for {what} {each}, which it never begins" for each in handled - begun)


def _all(table: MenuTable, state: Enum, kind: type[V]) -> Iterator[V]:
    return (verb for verb in table.verbs_in(state) if isinstance(verb, kind))


T = TypeVar("T")


def _twice(names: Iterable[T]) -> list[T]:
    return [name for name, count in Counter(names).items() if count > 1]


def _shown(state: Enum) -> str:
    return state.name


_CHECKS: tuple[Callable[[MenuTable], Iterator[str]], ...] = (
    _reachable,
    _ends_alone,
    _timers,
    _operations,
    _visits,
    _recordings,
    _prompts,
    _digits,
    _attempts,
    _endings,
)
