"""Sentences with slots: what is said for a value, in the order of the language."""

import dataclasses
from datetime import date, time

import pytest

from tandem.speech.catalogue import Catalogue
from tandem.speech.errors import SpeechError
from tandem.speech.prompts.en_us import LANGUAGE
from tandem.speech.sentences import Counted, Plural, Sentence, Slot, SlotKind

MESSAGES = Counted("count", ((Plural.ONE, "minute"), (Plural.OTHER, "minutes")))
TESTED = dataclasses.replace(
    LANGUAGE,
    sentences={kind.name: Sentence((Slot("value", kind),)) for kind in SlotKind}
    | {
        "counted": Sentence((Slot("count", SlotKind.COUNT), MESSAGES)),
        "greeting": LANGUAGE.sentences["answering-greeting"],
    },
)


def said(kind: SlotKind, value: object) -> str:
    """The words that are said."""
    prompts = TESTED.speak(kind.name, {"value": value})
    return " ".join(LANGUAGE.texts[prompt] for prompt in prompts if isinstance(prompt, str))


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (SlotKind.NUMBER, "4-10 1", "four one zero one"),
        (SlotKind.COUNT, 0, "zero"),
        (SlotKind.COUNT, 7, "seven"),
        (SlotKind.COUNT, 13, "thirteen"),
        (SlotKind.COUNT, 40, "forty"),
        (SlotKind.COUNT, 42, "forty two"),
        (SlotKind.COUNT, 100, "one hundred"),
        (SlotKind.COUNT, 999, "nine hundred ninety nine"),
        (SlotKind.DATE, date(2026, 1, 1), "January first"),
        (SlotKind.DATE, date(2026, 5, 20), "May twentieth"),
        (SlotKind.DATE, date(2026, 11, 21), "November twenty first"),
        (SlotKind.DATE, date(2026, 8, 30), "August thirtieth"),
        (SlotKind.DATE, date(2026, 12, 31), "December thirty first"),
        (SlotKind.TIME, time(0, 0), "twelve o'clock A M"),
        (SlotKind.TIME, time(9, 5), "nine oh five A M"),
        (SlotKind.TIME, time(12, 30), "twelve thirty P M"),
        (SlotKind.TIME, time(23, 59), "eleven fifty nine P M"),
        (SlotKind.DURATION, 0, "zero seconds"),
        (SlotKind.DURATION, 1, "one second"),
        (SlotKind.DURATION, 60, "one minute"),
        (SlotKind.DURATION, 125, "two minutes five seconds"),
    ],
)
def test_a_value_is_said_as_its_slot_says(kind: SlotKind, value: object, words: str) -> None:
    assert said(kind, value) == words


def test_a_name_is_its_own_sound() -> None:
    assert TESTED.speak("NAME", {"value": b"\0\1"}) == [b"\0\1"]


def test_a_counted_word_takes_the_form_of_its_number() -> None:
    assert TESTED.speak("counted", {"count": 1}) == ["digit-1", "minute"]
    assert TESTED.speak("counted", {"count": 2}) == ["digit-2", "minutes"]


@pytest.mark.parametrize(
    ("sentence", "values", "why"),
    [
        ("unheard-of", {}, "no sentence 'unheard-of' in en-US"),
        ("greeting", {}, "has the slots extension; it was given none"),
        ("greeting", {"extension": "1", "name": b""}, "it was given extension, name"),
        ("greeting", {"extension": 1}, "takes a number, not 1"),
        ("COUNT", {"value": 1000}, "takes a count"),
        ("DURATION", {"value": -1}, "takes a duration"),
    ],
)
def test_a_sentence_takes_its_slots_and_no_others(sentence: str, values: dict[str, object], why: str) -> None:
    with pytest.raises(SpeechError, match=why):
        TESTED.speak(sentence, values)


def test_every_prompt_has_sound_and_every_sentence_has_its_prompts() -> None:
    catalogue = Catalogue("en-US")
    for prompt in LANGUAGE.texts:
        assert 0.1 * 16_000 < len(catalogue.sound(prompt)) < 10 * 16_000, prompt
    for name, sentence in LANGUAGE.sentences.items():
        for part in sentence.parts:
            prompts = [part] if isinstance(part, str) else [form for _, form in getattr(part, "forms", ())]
            assert set(prompts) <= LANGUAGE.texts.keys(), name
        counted = {part.of for part in sentence.parts if isinstance(part, Counted)}
        assert all(sentence.slots[of] is SlotKind.COUNT for of in counted)
