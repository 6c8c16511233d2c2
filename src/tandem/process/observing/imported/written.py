"""Declared objects as they are written into an organization file: the keys that are not as by default."""

import dataclasses
from enum import StrEnum
from typing import Any


def said(declared: Any) -> dict[str, object]:
    """The keys and values of a declared object."""
    out = {}
    for field in dataclasses.fields(declared):
        value = getattr(declared, field.name)
        if field.default is dataclasses.MISSING or value != field.default:
            out[field.name] = _plain(value)
    return out


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value):
        return said(value)
    return value.value if isinstance(value, StrEnum) else value
