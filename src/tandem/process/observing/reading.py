"""Reading an observation (docs/observation.md): bytes that anybody may have written become a value, or a clear finding.

Everything is checked before anything is kept: size, encoding, JSON, format and version, the digest, who and when, that each
section of the side was read or says why not, and the type of each property that Tandem knows. Properties and sections that
it does not know are passed over.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tandem.process.errors import ProcessError
from tandem.process.observing.format import FORMAT, NORMALIZATION_RULE, SECTIONS, SHELLS, VERSION, Kind, name_property
from tandem.process.observing.model import Observation, ObservedObject, Value

MOST_BYTES = 128 << 20
"""The largest file that is read: 100,000 users take about 80 MiB."""
_SEAL = re.compile(rb',\s*"sha256"\s*:\s*"([0-9a-fA-F]{64})"\s*\}\s*\Z')
_TAIL = 256
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_AGAIN = "run the collector again, and give its file as it was written"


class ObservationRefused(ProcessError):
    """A file is no observation that can be used. Nothing of it is kept."""


def read_observation(data: bytes) -> Observation:
    """An observation from its file.

    Raises:
        ObservationRefused: the bytes are no whole, unaltered observation of this version; the message says what was found,
            what was expected, where, and what to do.
    """
    members = _members(data)
    found = members.get("format")
    if found != FORMAT:
        raise _refused("format", found, f'"{FORMAT}"', "give the file that a collector of 'tandem collect' wrote")
    version = members.get("version")
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        advice = "use the Tandem that made the collector, or a newer one" if newer else "make the collector again"
        raise _refused("version", version, f"{VERSION}", advice)
    digest = _digest(data)
    side = members.get("side")
    if side != "exchange" and side != "lync":
        raise _refused("side", side, '"exchange" or "lync"')
    shell = _text(members, "shell")
    if shell not in SHELLS[side]:
        raise _refused("shell", shell, f"one of {', '.join(SHELLS[side])}")
    unread = _unread(members)
    objects = _sections(members, SECTIONS[side], unread, side)
    started, ended = (_time(members.get(key), key) for key in ("started", "ended"))
    if ended < started:
        raise _refused("ended", members["ended"], f"not before started, {members['started']}")
    return Observation(
        side=side,
        forest=_text(members, "forest").lower(),
        by=_text(members, "by"),
        host=_text(members, "host").lower(),
        shell=shell,
        started=started,
        ended=ended,
        objects=objects,
        unread={name: why for name, why in unread.items() if name in SECTIONS[side]},
        sha256=digest,
    )


def _members(data: bytes) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise ObservationRefused(f"{len(data)} bytes, expected at most {MOST_BYTES}: no collector writes so much")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ObservationRefused(f"text in UTF-16, expected UTF-8, as a collector writes it: {_AGAIN}")
    try:
        members = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ObservationRefused(f"byte {error.start} is not UTF-8, expected UTF-8: {_AGAIN}") from None
    except RecursionError:
        raise ObservationRefused(f"JSON that is nested too deeply for an observation: {_AGAIN}") from None
    except ValueError as error:
        raise ObservationRefused(f"no JSON ({error}), expected an observation: {_AGAIN}") from None
    if not isinstance(members, dict):
        raise ObservationRefused(f"JSON that is {_named(members)}, expected an object with the member format: {_AGAIN}")
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} appears twice in an object")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _digest(data: bytes) -> str:
    """The digest, which has to be that of everything before it."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    seal = _SEAL.search(data, max(0, len(data) - _TAIL))
    if seal is None:
        raise ObservationRefused(
            f"no sha256 as the last member, expected one: the file is cut off or altered; {_AGAIN}"
        )
    said, found = seal[1].decode().lower(), hashlib.sha256(data[: seal.start()]).hexdigest()
    if said != found:
        raise ObservationRefused(f"sha256 is {said}, expected {found}: the file was altered; {_AGAIN}")
    return said


def _sections(
    members: Mapping[str, Any], known: Mapping[str, Mapping[str, Kind]], unread: Mapping[str, str], side: str
) -> dict[str, tuple[ObservedObject, ...]]:
    objects = members.get("objects")
    if not isinstance(objects, dict):
        raise _refused("objects", objects, "an object with the sections")
    out = {}
    for name, properties in known.items():
        if name not in objects:
            if name not in unread:
                raise ObservationRefused(
                    f"objects: no section {name}, expected it there or in unread: the collector did not end; {_AGAIN}"
                )
            continue
        held = objects[name]
        if not isinstance(held, list):
            raise _refused(f"objects.{name}", held, "an array")
        key = name_property(name, side)
        out[name] = tuple(_object(each, properties, key, f"objects.{name}[{i}]") for i, each in enumerate(held))
    return out


def _object(found: object, properties: Mapping[str, Kind], key: str, where: str) -> ObservedObject:
    """Its known properties; null is as if it were absent."""
    if not isinstance(found, dict):
        raise _refused(where, found, "an object")
    out = {
        name: _value(found[name], kind, f"{where}.{name}")
        for name, kind in properties.items()
        if found.get(name) is not None
    }
    if properties[key] is Kind.TEXT and not out.get(key):
        raise _refused(f"{where}.{key}", found.get(key), "a value, which names the object")
    return out


def _value(found: object, kind: Kind, where: str) -> Value:
    match kind:
        case Kind.TEXT if isinstance(found, str):
            return found
        case Kind.FLAG if isinstance(found, bool):
            return found
        case Kind.NUMBER if isinstance(found, int | str) and not isinstance(found, bool):
            return found
        case Kind.NUMBER if isinstance(found, float) and found.is_integer():
            return int(found)
        case Kind.TIME:
            _time(found, where)
            return str(found)
        case Kind.TEXTS if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return tuple(found)
        case Kind.RULES if isinstance(found, list):
            return tuple(_object(each, NORMALIZATION_RULE, "Name", f"{where}[{i}]") for i, each in enumerate(found))
    expected = {
        Kind.TEXT: "a string",
        Kind.FLAG: "true or false",
        Kind.NUMBER: "a number",
        Kind.TEXTS: "an array of strings",
        Kind.RULES: "an array of normalization rules",
    }
    raise _refused(where, found, expected[kind])


def _unread(members: Mapping[str, Any]) -> dict[str, str]:
    found = members.get("unread")
    if not isinstance(found, dict) or not all(isinstance(why, str) for why in found.values()):
        raise _refused("unread", found, "an object that says why, for each section that could not be read")
    return found


def _text(members: Mapping[str, Any], key: str) -> str:
    found = members.get(key)
    if not isinstance(found, str) or not found.strip():
        raise _refused(key, found, "a string that is not empty")
    return found


def _time(found: object, where: str) -> datetime:
    try:
        return datetime.strptime(str(found), _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise _refused(where, found, "a time in UTC such as 2026-11-28T09:00:00Z") from None


def _refused(where: str, found: object, expected: str, advice: str = _AGAIN) -> ObservationRefused:
    return ObservationRefused(f"{where}: found {_named(found)}, expected {expected}: {advice}")


def _named(found: object) -> str:
    """A value as a person reads it, however long it is."""
    if found is None:
        return "nothing"
    if isinstance(found, dict | list):
        return f"an {'object' if isinstance(found, dict) else 'array'} of {len(found)}"
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}..."
