"""American English: prompts, sentences, and how numbers, dates and durations are said."""

from datetime import date, time

from tandem.speech.sentences import Language, Plural, Sentence, Slot, SlotKind

_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth",
)  # fmt: skip
TEXTS = {
    "person-at-extension": "The person at extension",
    "not-available": "is not available.",
    "leave-a-message": "Please leave a message after the tone. When you are done, hang up, or press the pound key.",
    "message-sent": "Your message has been sent. Goodbye.",
    "nothing-recorded": "Sorry, no message was recorded. Goodbye.",
    "goodbye": "Goodbye.",
    "digit-0": "zero",
    "digit-1": "one",
    "digit-2": "two",
    "digit-3": "three",
    "digit-4": "four",
    "digit-5": "five",
    "digit-6": "six",
    "digit-7": "seven",
    "digit-8": "eight",
    "digit-9": "nine",
    **{f"number-{10 + i}": word for i, word in enumerate(_TEENS)},
    **{f"number-{20 + 10 * i}": word for i, word in enumerate(_TENS)},
    "hundred": "hundred",
    **{f"ordinal-{1 + i}": word for i, word in enumerate(_ORDINALS)},
    "ordinal-30": "thirtieth",
    **{f"month-{1 + i}": word for i, word in enumerate(_MONTHS)},
    "oh": "oh",
    "o-clock": "o'clock",
    "a-m": "A M",
    "p-m": "P M",
    "minute": "minute",
    "minutes": "minutes",
    "second": "second",
    "seconds": "seconds",
}
SENTENCES = {
    "answering-greeting": Sentence(
        ("person-at-extension", Slot("extension", SlotKind.NUMBER), "not-available", "leave-a-message")
    ),
    "message-sent": Sentence(("message-sent",)),
    "nothing-recorded": Sentence(("nothing-recorded",)),
}


def _plural(count: int) -> Plural:
    return Plural.ONE if count == 1 else Plural.OTHER


def _below_hundred(number: int) -> list[str]:
    if number < 10:
        return [f"digit-{number}"]
    if number < 20:
        return [f"number-{number}"]
    unit = [f"digit-{number % 10}"] if number % 10 else []
    return [f"number-{number - number % 10}", *unit]


def _cardinal(number: int) -> list[str]:
    if number < 100:
        return _below_hundred(number)
    rest = _below_hundred(number % 100) if number % 100 else []
    return [f"digit-{number // 100}", "hundred", *rest]


def _day(day: date) -> list[str]:
    """The month, then an ordinal number: "November twenty first"."""
    tens = [f"number-{day.day - day.day % 10}"] if day.day > 20 and day.day % 10 else []
    ordinal = day.day % 10 if tens else day.day
    return [f"month-{day.month}", *tens, f"ordinal-{ordinal}"]


def _time_of_day(at: time) -> list[str]:
    """On the 12-hour clock: "nine oh five A M", "twelve o'clock P M"."""
    minutes = ["o-clock"] if at.minute == 0 else [*(["oh"] if at.minute < 10 else []), *_below_hundred(at.minute)]
    return [*_below_hundred(at.hour % 12 or 12), *minutes, "a-m" if at.hour < 12 else "p-m"]


def _duration(seconds: int) -> list[str]:
    minutes, rest = divmod(seconds, 60)
    return [
        *(_unit(minutes, "minute") if minutes else []),
        *(_unit(rest, "second") if rest or not minutes else []),
    ]


def _unit(count: int, unit: str) -> list[str]:
    return [*_cardinal(count), unit if _plural(count) is Plural.ONE else f"{unit}s"]


LANGUAGE = Language(
    tag="en-US",
    folder="en_US",
    texts=TEXTS,
    sentences=SENTENCES,
    plural=_plural,
    cardinal=_cardinal,
    day=_day,
    time_of_day=_time_of_day,
    duration=_duration,
)
