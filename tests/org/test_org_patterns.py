import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.org.patterns import (
    PatternError,
    compile_pattern,
    dotnet_problem,
    pattern_problem,
    translation_problem,
)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"^(?!911)(\d+)$", "it has (?!, look-around"),
        (r"^(\d+)(?=#)", "it has (?=, look-around"),
        (r"(?<!0)\d", "it has (?<!, look-around"),
        (r"(?<=0)\d", "it has (?<=, look-around"),
        (r"^(\d)\1$", r"it has \1, a back reference"),
        (r"(?<a>\d)\k<a>", r"it has \k, a back reference"),
        (r"(\d)\12", r"it has \1, a back reference"),  # RE2 would read an octal escape
        (r"^[\d-[5]]$", "it has -[, a class without another"),  # RE2 would read another class
        (r"^[[:digit:]]$", r"it has [:, a class by name, which .NET does not know; write \d or [a-z]"),
        (r"(?>\d+)", "it has (?>, an atomic group, which is not supported; write (?:...)"),
        (r"(?(1)a|b)", "it has (?(, a condition"),
        (r"(?#local)\d", "it has (?#, a comment"),
        (r"(?x)\d \d", "it has (?x, an option"),
        (r"\Qa\E", r"it has \Q, an escape that .NET does not know"),
        (r"\C", r"it has \C, an escape"),
        (r"\pL", r"it has \p, an escape"),
        (r"\x{31}", r"it has \x{, an escape that .NET does not know; write \xHH"),
        (r"^(\d{4}$", "missing )"),
        (r"\d{1001}", "invalid repetition size: {1001}"),
        (r"\d*+", "bad repetition operator: *+"),
        ("[0-", "missing ]"),
        ("1" * 257, "257 characters, at most 256 are read"),
    ],
)
def test_a_pattern_that_cannot_run_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    assert pattern_problem(pattern).startswith(reason)
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "ours_only"),
    [
        (r"(?!9)\d", True),
        (r"(\d)\1", True),
        (r"[\d-[5]]", True),
        (r"[[:digit:]]", False),
        (r"\Q{", False),
        ("(", False),
    ],
)
def test_what_only_re2_cannot_run_is_known(pattern: str, ours_only: bool) -> None:
    assert pattern_problem(pattern)
    assert (not dotnet_problem(pattern)) is ours_only


@pytest.mark.parametrize(
    ("pattern", "text", "translation", "expected"),
    [
        (r"^(\d{4})\Z", "4101", "+1425555$1", "+14255554101"),
        (r"^(?'ext'\d{4})$", "4101", "+1425555${ext}", "+14255554101"),
        (r"^(?<ext>\d{4})$", "4101", "+1425555$1", "+14255554101"),
        (r"^(?<a>\d)(\d)$", "12", "$1-$2", "2-1"),  # .NET numbers groups with a name last
        (r"^(\d)(\d)$", "12", "${2}0${01}", "201"),
        (r"^(\d)$", "1", "$0/$10/$$1", "1/$10/$1"),
        (r"^[]\[(?!]+$", "[(?!]", "x", "x"),  # in a class a bracket and a question mark are themselves
        (r"^\[(\d)\]$", "[1]", "$1", "1"),
        (r"^[^]]$", "]", "x", None),
        (r"^(\d+)(x)?$", "5", "<$2>", "<>"),
        (r"\d", "12", "x", None),
        (r"^\d$", "1\n", "x", None),
        (r"^\d$", "٣", "x", None),
        (r"^.$", "\ud800", "x", "x"),
        (r"^(?i:abc)$", "ABC", "x", "x"),
    ],
)
def test_a_pattern_translates_as_dotnet_does(pattern: str, text: str, translation: str, expected: str | None) -> None:
    assert compile_pattern(pattern).replace_whole(text, translation) == expected


@pytest.mark.parametrize(
    ("pattern", "translation", "problem"),
    [
        (r"^(\d{4})$", "+1425555$1", ""),
        (r"^(?<ext>\d{4})$", "+${ext}$1$0$$", ""),
        (r"^(\d{4})$", r"+3315555\1", r"\1 with a backslash; write $1"),
        (r"^(\d{4})$", r"+3315555\d", r"\d with a backslash; no number has one"),
        (r"^(\d{4})$", "+1425555$2", "$2, but the pattern has only $1"),
        (r"^(\d{4})$", "+1$10", "$10, but the pattern has only $1; write ${1}0 for group 1"),
        (r"^\d{4}$", "+1$1", "$1, but the pattern has no group, which is in ( )"),
        (r"^(\d{4})$", "+1${ext}", "${ext}, but the pattern has only $1"),
        (r"^(\d{4})$", "+1$&", "$ that names no group"),
    ],
)
def test_a_translation_that_cannot_be_meant_is_told(pattern: str, translation: str, problem: str) -> None:
    assert translation_problem(compile_pattern(pattern), translation).startswith(problem)
    assert bool(translation_problem(compile_pattern(pattern), translation)) is bool(problem)


@pytest.mark.parametrize("pattern", [r"^(\d+)+$", r"^(?:0+|00)*(\d{4})$", r"^(\d*\d*)*#$", r"^(.*)*(.*)*(.*)*x$"])
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    began = time.process_time()
    assert compile_pattern(pattern).replace_whole("0" * 63 + "y", "$1") is None
    assert time.process_time() - began < 1  # by backtracking: minutes


def test_a_number_pattern_is_looked_for_anywhere() -> None:
    assert compile_pattern(r"^\+1425").found_in("+14255550100")
    assert not compile_pattern(r"^\+1425").found_in("+114255550100")


@settings(max_examples=30)
@given(st.text(alphabet="()[]{}?<>:=!|\\^$-*+.0123dDwZzxkPQ'a,#\ud800", max_size=20), st.text(max_size=20))
def test_any_pattern_compiles_or_is_refused(pattern: str, translation: str) -> None:
    if not pattern_problem(pattern):
        translation_problem(compile_pattern(pattern), translation)
        compile_pattern(pattern).replace_whole("+14255550100", translation)
