"""Logging: one logger per room, one line per event, ``name key=value ...``.

INFO is one line per call, message, registration or applied change. PINs, passwords, keys, audio and message bodies are
never handed to :func:`event`; a field with such a name is masked all the same. A value that holds spaces, quotes or control
characters is quoted as JSON, so that hostile text (a caller's display name, say) cannot forge a line.

What a line belongs to is added without every caller saying so: within :func:`about` each event gets the fields given
there (the call, the peer), and so does whatever task is begun in it.
"""

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

_PLAIN = re.compile(r"[A-Za-z0-9_.:;@+/=<>\[\]()*,-]+\Z")
NEVER = frozenset({"pin", "password", "secret", "key", "keys", "digits", "body", "audio"})
MASK = "***"
_about: ContextVar[Mapping[str, object]] = ContextVar("tandem_about")
_nothing: Mapping[str, object] = {}


def get_logger(room: str) -> logging.Logger:
    """Return the logger of a room, such as ``tandem.um``."""
    return logging.getLogger(f"tandem.{room}")


@contextlib.contextmanager
def about(**fields: object) -> Iterator[None]:
    """Put fields on every event within, also in the tasks and callbacks that are begun there."""
    token = _about.set({**_about.get(_nothing), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def surroundings() -> Mapping[str, object]:
    """The fields that :func:`about` has put around what runs now."""
    return _about.get(_nothing)


def event(logger: logging.Logger, level: int, name: str, /, **fields: object) -> None:
    """Log the event ``name`` with its fields; fields that are ``None`` are left out.

    The record carries them as ``event`` and ``fields`` too, for formats that have a place for each.
    """
    if logger.isEnabledFor(level):
        told = {key: value for key, value in fields.items() if value is not None}
        told.update((key, value) for key, value in surroundings().items() if value is not None and key not in told)
        for key in NEVER & told.keys():
            told[key] = MASK
        logger.log(level, "%s", one_line(name, told), extra={"event": name, "fields": told})


def one_line(name: str, fields: Mapping[str, object]) -> str:
    """An event as text on one line."""
    return " ".join([name, *(f"{key}={_value(value)}" for key, value in fields.items())])


def _value(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.match(text) else json.dumps(text)
