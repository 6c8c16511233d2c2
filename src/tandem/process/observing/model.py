"""An observation: what a collector read on one side, in one forest, at one time (docs/observation.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Value = str | int | bool | tuple["Value", ...] | Mapping[str, "Value"]
ObservedObject = Mapping[str, Value]
"""Properties under the names of the cmdlet that returned them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The result of one collector.

    ``objects`` are in sections by the noun of the cmdlet (``UMDialPlan``); ``unread`` says of a section why it could not be
    read: it is then not known whether there are such objects. ``sha256`` is the digest of the file.
    """

    side: Literal["exchange", "lync"]
    forest: str
    by: str
    host: str
    shell: str
    started: datetime
    ended: datetime
    objects: Mapping[str, tuple[ObservedObject, ...]]
    unread: Mapping[str, str]
    sha256: str
