"""The organization file as JSON Schema, made from the model: its fields, their types, defaults and rules.

What has to fit together (references, uniqueness, security) is beyond a schema; ``tandem validate`` checks it.
"""

import dataclasses
import enum
import inspect
import types
import typing
from pathlib import Path
from typing import Any

from tandem.org import model
from tandem.org.load import FORMAT_VERSION
from tandem.org.rules import rules_of


def json_schema() -> dict[str, Any]:
    """The whole document's schema; each object type is in ``$defs``."""
    definitions: dict[str, Any] = {}
    root = _object(model.Organization, definitions, left_out={"path"})
    root["properties"] = {
        "tandem": {"const": int(FORMAT_VERSION), "description": "The version of this file format."},
        **root["properties"],
        "users_csv": {"type": "string", "description": "A CSV file with more users; its header names their keys."},
    }
    root["required"] = ["tandem", *(name for name in root["required"] if name not in ("state", "secrets"))]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tandem organization",
        **root,
        "$defs": definitions,
    }


def _object(
    type_: type[Any], definitions: dict[str, Any], left_out: frozenset[str] | set[str] = frozenset()
) -> dict[str, Any]:
    hints = typing.get_type_hints(type_)
    fields = [f for f in dataclasses.fields(type_) if f.name not in left_out]
    return {
        "type": "object",
        "description": inspect.cleandoc(type_.__doc__ or "").replace("``", ""),
        "properties": {f.name: _field(type_, f, hints[f.name], definitions) for f in fields},
        "required": [f.name for f in fields if f.default is dataclasses.MISSING],
        "additionalProperties": False,
    }


def _field(type_: type[Any], field: "dataclasses.Field[Any]", hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    found = _type(hint, definitions)
    if rule := rules_of(type_).get(field.name):
        found["description"] = f"Expected: {rule.expected}."
        if "items" in found:
            found["items"] |= rule.schema
        else:
            found |= rule.schema
    if field.default is not dataclasses.MISSING and field.default not in ((), None, ""):
        default = field.default
        found["default"] = list(default) if isinstance(default, tuple) else default
    return found


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _type(next(a for a in arguments if a is not type(None)), definitions)
    if origin is typing.Literal:
        return {"enum": [str(each.value) for each in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        name = model.declared_name(hint)
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [str(each.value) for each in hint]}
    names = {bool: "boolean", int: "integer", str: "string", Path: "string"}
    # A YAML scalar that looks like a number is taken as text all the same, so a schema must not be stricter.
    return {"type": ["string", "integer"]} if hint is str else {"type": names[hint]}
