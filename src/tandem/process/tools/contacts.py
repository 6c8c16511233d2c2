"""Contact objects, as OcsUmUtil makes them: what makes a number of UM callable, and what has to hold for one.

The checks come in the tool's order: rights, OU, SIP address, pool, number, auto attendant. Each has its own message.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.errors import BadName
from tandem.directory.port import Right
from tandem.directory.repository import Repository
from tandem.org.numbers import is_e164, is_sip_address, number_of
from tandem.org.vocabulary import UriType
from tandem.process.errors import NotPermitted, ProcessError
from tandem.process.holders import require
from tandem.process.roles import OCSUMUTIL
from tandem.process.task import Context
from tandem.process.tools.targets import target_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingForest:
    """What the tool finds in one forest: SIP URI dial plans with their auto attendants."""

    name: str
    dial_plans: tuple[o.UMDialPlan, ...]
    attendants: tuple[o.UMAutoAttendant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A contact as it is asked for; ``sip_address`` with its ``sip:``."""

    dial_plan: str
    display_name: str
    sip_address: str
    number: str
    pool: str
    ou: str
    auto_attendant: str = ""


def load(context: Context) -> tuple[MessagingForest, ...]:
    """Every messaging forest that trusts the voice forest, or is the same.

    Raises :class:`ProcessError` when nothing of UM can be read: before phase 7, or without the trust.
    """
    found = []
    for forest in (f.name for f in context.organization.forests):
        here = context.at(forest).repository
        if here.session.may(Right.READ, here.layout.um_dial_plans) and (plans := _sip_plans(here)):
            attendants = here.all(o.UMAutoAttendant)
            found.append(MessagingForest(name=forest, dial_plans=plans, attendants=attendants))
    if not found:
        raise ProcessError(
            "no SIP URI dial plan can be read: either none is made (phase 3), or exchucutil has not given the voice side "
            "its permissions (phase 7), or the messaging forest does not trust this one (phase 0)"
        )
    return tuple(found)


def _sip_plans(repository: Repository) -> tuple[o.UMDialPlan, ...]:
    return tuple(plan for plan in repository.all(o.UMDialPlan) if plan.uri_type == UriType.SIP_NAME)


def name_mismatches(context: Context, forests: tuple[MessagingForest, ...]) -> Iterator[tuple[o.UMDialPlan, bool]]:
    """Each dial plan that no voice dial plan's simple name equals, and whether that matters: only before 2010 SP1."""
    names = {
        plan.simple_name.lower()
        for plan in context.at(context.organization.voice_forest).repository.all(o.VoiceDialPlan)
    }
    for forest in forests:
        servers = context.at(forest.name).repository.all(o.MessagingServer)
        for plan in forest.dial_plans:
            if plan.phone_context.lower() not in names:
                versions = [s.version for s in servers if plan.name in s.dial_plans]
                yield plan, any(_needs_name(version) for version in versions)


def _needs_name(version: str) -> bool:
    """A version as the directory keeps it: ``Exchange 2007 SP3``, ``Tandem UM 15``."""
    return version.startswith("Exchange 2007") or version == "Exchange 2010"


def checked(context: Context, wanted: NewContact, *, replaces: o.Contact | None = None) -> o.Contact:
    """The contact that a wish makes. Raises :class:`ProcessError` with the first thing that does not hold."""
    forests = load(context)
    require(context, OCSUMUTIL, forest=context.organization.voice_forest, what="ocsumutil")
    repository = context.at(context.organization.voice_forest).repository
    plan = next((p for f in forests for p in f.dial_plans if p.name == wanted.dial_plan), None)
    if plan is None:
        names = ", ".join(p.name for f in forests for p in f.dial_plans)
        raise ProcessError(f"there is no SIP URI dial plan {wanted.dial_plan!r}; there are: {names}")
    _check_ou(context, wanted.ou, new=replaces is None)
    address = _checked_address(context, repository, wanted.sip_address, replaces)
    if wanted.pool not in (known := [pool.fqdn for pool in repository.all(o.VoicePool)]):
        raise ProcessError(f"there is no voice pool {wanted.pool!r}; there are: {', '.join(known) or 'none'}")
    _check_number(repository, wanted.number, replaces)
    _check_attendant(wanted, plan, forests)
    return o.Contact(
        name=replaces.name if replaces else f"{{{context.ids.uuid()}}}",
        container=replaces.container if replaces else wanted.ou,
        display_name=wanted.display_name,
        sip_address=f"sip:{address}",
        line_uri=f"tel:{wanted.number}",
        home_pool=wanted.pool,
        target=target_of(address, plan.phone_context, attendant=wanted.auto_attendant),
    )


def _check_ou(context: Context, text: str, *, new: bool) -> None:
    try:
        ou = DN.parse(text)
    except BadName as error:
        raise ProcessError(f"OU {error}") from None
    if context.session.get(ou) is None:
        raise ProcessError(f"there is no OU {ou}; make it, or choose another with --ou")
    if new and not context.session.may(Right.CREATE, ou, object_class="contact"):
        raise NotPermitted(
            f"{context.session.account} may not create contacts in {ou}: inheritance may be blocked there; a directory "
            f"administrator grants it with 'tandem ou-permission grant FILE --type Contact --ou \"{ou}\"'"
        )


def _checked_address(context: Context, repository: Repository, text: str, replaces: o.Contact | None) -> str:
    prefix, _, address = text.partition(":")
    if prefix.lower() != "sip" or not address:
        raise ProcessError(f"SIP address {text!r} does not begin with sip:, such as sip:um-main@example.com")
    domains = [domain for forest in context.organization.forests for domain in forest.domains]
    if not is_sip_address(address) or address.partition("@")[2].lower() not in domains:
        raise ProcessError(
            f"SIP address {text!r} is not USER@DOMAIN with a SIP domain that is supported: {', '.join(domains)}"
        )
    for holder in _holders(repository):
        if holder.sip_address.lower() == f"sip:{address}".lower() and holder != replaces:
            raise ProcessError(f"SIP address {text!r} is used already, by {_name_of(holder)}")
    return address


def _check_number(repository: Repository, number: str, replaces: o.Contact | None) -> None:
    if not is_e164(number):
        raise ProcessError(f"number {number!r} is not in E.164 form: + and up to 15 digits, such as +14255550100")
    for holder in _holders(repository):
        if number_of(holder.line_uri) == number and holder != replaces:
            raise ProcessError(f"number {number} is assigned already, to {_name_of(holder)}")


def _check_attendant(wanted: NewContact, plan: o.UMDialPlan, forests: tuple[MessagingForest, ...]) -> None:
    known = [a.name for f in forests if plan in f.dial_plans for a in f.attendants if a.dial_plan == plan.name]
    if wanted.auto_attendant and wanted.auto_attendant not in known:
        raise ProcessError(
            f"UM dial plan {plan.name} has no auto attendant {wanted.auto_attendant!r}; it has: {', '.join(known) or 'none'}"
        )


def _holders(repository: Repository) -> list[o.User | o.Contact]:
    return [*repository.all(o.User), *repository.all(o.Contact)]


def _name_of(holder: o.User | o.Contact) -> str:
    return f"user {holder.account}" if isinstance(holder, o.User) else f"contact {holder.display_name}"


def find(context: Context, text: str) -> o.Contact:
    """A contact by its SIP address, number or display name. Raises :class:`ProcessError` if there is none, or several."""
    wanted = text.lower()
    found = [
        contact
        for contact in context.at(context.organization.voice_forest).repository.all(o.Contact)
        if wanted
        in (contact.sip_address.lower(), contact.line_uri.lower(), contact.line_uri[4:], contact.display_name.lower())
        or f"sip:{wanted}" == contact.sip_address.lower()
    ]
    if len(found) != 1:
        raise ProcessError(
            f"{len(found)} contacts are called {text!r}; expected one SIP address, number or display name"
        )
    return found[0]
