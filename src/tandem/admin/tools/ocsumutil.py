"""OcsUmUtil on its own (phase 9): contact objects, and the check of dial plan names.

Every function takes the organization as it was opened, and works in the voice forest.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tandem.directory import objects as o
from tandem.directory.repository import Repository
from tandem.process.apply import carry_out
from tandem.process.errors import ProcessError
from tandem.process.holders import require
from tandem.process.roles import OCSUMUTIL
from tandem.process.task import Change, Context, Step, differences
from tandem.process.tools import contacts as tool
from tandem.process.tools.targets import read_target


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """A contact object, as OcsUmUtil lists it. ``number`` is in E.164, ``phone_context`` that of its dial plan."""

    display_name: str
    sip_address: str
    number: str
    pool: str
    type: str
    phone_context: str
    ou: str

    @classmethod
    def of(cls, contact: o.Contact) -> "ContactRow":
        """The row of a contact of the directory."""
        phone_context, attendant = read_target(contact)
        return cls(
            display_name=contact.display_name,
            sip_address=contact.sip_address,
            number=contact.line_uri.partition(":")[2],
            pool=contact.home_pool,
            type=f"Auto Attendant {attendant}" if attendant else "Subscriber Access",
            phone_context=phone_context,
            ou=contact.container,
        )

    def to_json(self) -> dict[str, str]:
        """As JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedContacts:
    """What is found: messaging forests with their SIP URI dial plans and auto attendants, and the contacts."""

    forests: tuple[tool.MessagingForest, ...]
    contacts: tuple[ContactRow, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``tandem ocsumutil load --json`` prints."""
        return {
            "forests": [dataclasses.asdict(forest) for forest in self.forests],
            "contacts": [contact.to_json() for contact in self.contacts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPlanRow:
    """A SIP URI dial plan with its numbers, auto attendants and contacts."""

    forest: str
    name: str
    phone_context: str
    access_numbers: tuple[str, ...]
    auto_attendants: tuple[str, ...]
    contacts: tuple[ContactRow, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMismatch:
    """A UM dial plan without a voice dial plan of its name; ``needed`` by servers before Exchange 2010 SP1."""

    dial_plan: str
    phone_context: str
    needed: bool

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)


def load(context: Context) -> LoadedContacts:
    """What is found of messaging forests and contacts."""
    context = _voice(context)
    return LoadedContacts(forests=tuple(tool.load(context)), contacts=list_contacts(context))


def dial_plans(context: Context) -> tuple[DialPlanRow, ...]:
    """Each SIP URI dial plan."""
    loaded = load(context)
    return tuple(
        DialPlanRow(
            forest=forest.name,
            name=plan.name,
            phone_context=plan.phone_context,
            access_numbers=tuple(plan.access_numbers),
            auto_attendants=tuple(each.name for each in forest.attendants if each.dial_plan == plan.name),
            contacts=tuple(each for each in loaded.contacts if each.phone_context == plan.phone_context),
        )
        for forest in loaded.forests
        for plan in forest.dial_plans
    )


def check_names(context: Context) -> tuple[NameMismatch, ...]:
    """The UM dial plans whose FQDN is the simple name of no voice dial plan."""
    context = _voice(context)
    return tuple(
        NameMismatch(dial_plan=plan.name, phone_context=plan.phone_context, needed=needed)
        for plan, needed in tool.name_mismatches(context, tool.load(context))
    )


def list_contacts(context: Context) -> tuple[ContactRow, ...]:
    """Every contact."""
    return tuple(ContactRow.of(contact) for contact in _voice(context).repository.all(o.Contact))


def show_contact(context: Context, name: str) -> ContactRow:
    """A contact by SIP address, number or display name. Raises :class:`ProcessError` if there is none, or several."""
    return ContactRow.of(tool.find(_voice(context), name))


def add_contact(
    context: Context,
    *,
    dial_plan: str,
    pool: str,
    ou: str,
    number: str | None = None,
    sip_address: str | None = None,
    display_name: str | None = None,
    auto_attendant: str = "",
) -> ContactRow:
    """Make a contact: Subscriber Access of a dial plan, or one of its auto attendants.

    Args:
        context: opened with the roles of phase 9.
        dial_plan: a SIP URI dial plan.
        pool: FQDN of the pool that takes the call.
        ou: distinguished name of the container.
        number: E.164; by default the first access number, or the attendant's first pilot identifier.
        sip_address: with its ``sip:``; by default made from the dial plan's or attendant's name.
        display_name: by default the dial plan's or attendant's name.
        auto_attendant: for a contact of an auto attendant.

    Raises:
        NotPermitted: the operator lacks the roles.
        ProcessError: a value is not right; the message says which.
    """
    context = _voice(context)
    named = auto_attendant or dial_plan
    wanted = tool.NewContact(
        dial_plan=dial_plan,
        display_name=display_name or named,
        sip_address=sip_address or f"sip:um-{named.lower()}@{_domain(context)}",
        number=number or _pilot(context, dial_plan, auto_attendant),
        pool=pool,
        ou=ou,
        auto_attendant=auto_attendant,
    )
    # Not marked as managed: what the file does not declare is the administrator's own, and the plan leaves it.
    unmarked = Repository(context.session, context.layout)

    def steps() -> Iterator[Step]:
        contact = tool.checked(context, wanted)
        yield _change("+", contact), partial(unmarked.add, contact)

    carry_out(context, "ocsumutil", steps())
    return show_contact(context, wanted.sip_address)


def edit_contact(
    context: Context,
    name: str,
    *,
    number: str | None = None,
    pool: str | None = None,
    sip_address: str | None = None,
    display_name: str | None = None,
) -> ContactRow:
    """Change a contact; the same checks hold as for a new one. See :func:`add_contact`."""
    if not any((number, pool, sip_address, display_name)):
        raise ProcessError("nothing to change: give --number, --pool, --sip-address or --display-name")
    context = _voice(context)
    held = tool.find(context, name)
    phone_context, attendant = read_target(held)
    plan = next((p.name for f in tool.load(context) for p in f.dial_plans if p.phone_context == phone_context), "")
    wanted = tool.NewContact(
        dial_plan=plan,
        display_name=display_name or held.display_name,
        sip_address=sip_address or held.sip_address,
        number=number or held.line_uri.partition(":")[2],
        pool=pool or held.home_pool,
        ou=held.container,
        auto_attendant=attendant,
    )

    def steps() -> Iterator[Step]:
        contact = tool.checked(context, wanted, replaces=held)
        change = Change(action="~", kind="contact", name=held.display_name, details=differences(held, contact))
        yield change, partial(context.repository.update, held, contact)

    carry_out(context, "ocsumutil", steps())
    return show_contact(context, wanted.sip_address)


def remove_contact(context: Context, name: str) -> ContactRow:
    """Remove a contact; returns it as it was. Raises :class:`NotPermitted`, :class:`ProcessError`."""
    context = _voice(context)
    held = tool.find(context, name)
    require(context, OCSUMUTIL, forest=context.layout.forest, what="ocsumutil")
    carry_out(context, "ocsumutil", [(_change("-", held), partial(context.repository.remove, held))])
    return ContactRow.of(held)


def _voice(context: Context) -> Context:
    return context.at(context.organization.voice_forest)


def _domain(context: Context) -> str:
    """The SIP domain that contacts of the voice forest have by default: that of its other contacts, or its first."""
    held = [contact.sip_address.partition("@")[2] for contact in context.repository.all(o.Contact)]
    voice = next(f for f in context.organization.forests if f.name == context.organization.voice_forest)
    return held[0] if held else voice.domains[0]


def _pilot(context: Context, dial_plan: str, attendant: str) -> str:
    for forest in tool.load(context):
        for found in forest.attendants:
            if attendant and found.name == attendant and found.pilot_identifiers:
                return found.pilot_identifiers[0]
        for plan in forest.dial_plans:
            if not attendant and plan.name == dial_plan and plan.access_numbers:
                return plan.access_numbers[0]
    raise ProcessError(f"{attendant or dial_plan} has no number in UM; give one with --number")


def _change(action: str, contact: o.Contact) -> Change:
    return Change(
        action=action, kind="contact", name=contact.display_name, details=(contact.line_uri, contact.sip_address)
    )
