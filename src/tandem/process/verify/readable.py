"""Checks that rest on what could not be read: neither passed nor failed.

A check is said to rest on a field by its name, which begins as :data:`_RULES` has it and then names its subject. Where a
single value decides, the check tells nothing if that value is unread; where the check looks for one among several, one that was
found is still found.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tandem.directory import objects as o
from tandem.directory.found import Found, Unread
from tandem.process.verify.matrix import Check, Grade, check


@dataclass(frozen=True, slots=True)
class _Rule:
    """Checks whose names begin so rest on this field of objects of a type.

    ``own``: of the object that the name goes on with (``X``, or both of ``X with Y``); otherwise of any of them. ``found``: a
    check that passed has passed.
    """

    begins: str
    type_: type
    field: str
    own: bool = True
    found: bool = False


_RULES = (
    _Rule("Roles of ", o.MessagingServer, "roles"),
    _Rule("Startup mode of ", o.MessagingServer, "startup_mode"),
    _Rule("Certificate for UM on ", o.MessagingServer, "certificate_thumbprint"),
    _Rule("URI type of ", o.UMDialPlan, "uri_type"),
    _Rule("Security of ", o.UMDialPlan, "voip_security"),
    _Rule("Security of ", o.VoicePool, "media_encryption"),
    _Rule("Every UM server in ", o.MessagingServer, "dial_plans", own=False, found=True),
    _Rule("UM servers of ", o.MessagingServer, "dial_plans", own=False, found=True),
    _Rule("Gateway of ", o.UMIPGateway, "address", own=False, found=True),
    _Rule("Hunt groups of ", o.UMIPGateway, "address", own=False, found=True),
    _Rule("Hunt groups of ", o.UMDialPlan, "uri_type", own=False, found=True),
    _Rule("Hunt groups of ", o.UMDialPlan, "voip_security", own=False, found=True),
    _Rule("Outgoing calls", o.UMIPGateway, "outcalls_allowed", own=False),
    _Rule("Outgoing calls", o.VoicePool, "pool_type", own=False),
    _Rule("Auto attendant ", o.UMAutoAttendant, "enabled"),
    _Rule("Subscriber access of ", o.Contact, "target", own=False, found=True),
    _Rule("Contact of ", o.Contact, "target", own=False, found=True),
    _Rule("Name of ", o.VoiceDialPlan, "simple_name", own=False, found=True),
    _Rule("Users of UM have what voice mail needs", o.UMDialPlan, "uri_type", own=False, found=True),
    _Rule("Users of UM have what voice mail needs", o.UMDialPlan, "phone_context", own=False, found=True),
)


def graded(found: Found, checks: Iterable[Check]) -> Iterator[Check]:
    """The checks, those without a basis as not readable; then everything that was not readable."""
    for each in checks:
        if reasons := [unread for rule in _RULES for unread in _unread(found, rule, each)]:
            yield replace(each, grade=Grade.UNREADABLE, evidence="; ".join(dict.fromkeys(map(_said, reasons[:3]))))
        else:
            yield each
    for unread in found.unread:
        told = check("Read from the directory", _said(unread), "", 1, "see it by 'tandem collect' and 'tandem observe'")
        yield replace(told, grade=Grade.UNREADABLE)


def _unread(found: Found, rule: _Rule, about: Check) -> tuple[Unread, ...]:
    if not about.name.startswith(rule.begins) or (rule.found and about.grade is Grade.PASSED):
        return ()
    rest = about.name.removeprefix(rule.begins)
    unread = found.unread_of(rule.type_, field=rule.field)
    return tuple(each for each in unread if not rule.own or each.name in (rest, *rest.split(" with ")))


def _said(unread: Unread) -> str:
    return f"{unread.what}: {unread.why}"
