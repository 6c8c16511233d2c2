"""Logging: one logger per room, one line per event, ``name key=value ...``.

INFO is one line per call, message, registration or applied change. PINs, passwords, keys, audio and message bodies are
never handed to :func:`event`. A value that holds spaces, quotes or control characters is quoted as JSON, so that
hostile text (a caller's display name, say) cannot forge a line.
"""

import json
import logging
import re

_PLAIN = re.compile(r"[A-Za-z0-9_.:;@+/=<>\[\]()*,-]+\Z")


def get_logger(room: str) -> logging.Logger:
    """Return the logger of a room, such as ``tandem.um``."""
    return logging.getLogger(f"tandem.{room}")


def event(logger: logging.Logger, level: int, name: str, /, **fields: object) -> None:
    """Log the event ``name`` with its fields; fields that are ``None`` are left out."""
    if logger.isEnabledFor(level):
        parts = [name, *(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)]
        logger.log(level, "%s", " ".join(parts))


def _value(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.match(text) else json.dumps(text)
