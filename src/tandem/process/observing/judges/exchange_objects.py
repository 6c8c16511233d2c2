"""Phases 3, 4, 6, 7 and 11 for servers of kind exchange: objects of the Exchange organization, and mailboxes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tandem.directory import objects as o
from tandem.org import model as m
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import EumAddress, phone_context
from tandem.org.vocabulary import Transport, UriType, VoIPSecurity
from tandem.process.observing.comparing import FIELDS, aligned, compare
from tandem.process.observing.judges.case import Case
from tandem.process.observing.model import ObservedObject
from tandem.process.observing.seen import SeenSection, text, texts
from tandem.process.observing.verdict import Finding, Unreadable
from tandem.process.task import Change, difference, from_declared
from tandem.process.tools import exchucutil as tool

_GROUPS = ("RTCUniversalServerAdmins", "RTCComponentUniversalServices")
_ALL_RIGHTS = frozenset({"genericall"})
_LIST = frozenset({"listchildren"})
_READ = _LIST | {"readproperty"}
_CONTAINERS = (
    ("Organization", _LIST),
    ("UM DialPlan Container", _READ),
    ("UM AutoAttendant Container", _READ),
    ("UM IPGateway Container", _READ),
    ("Servers", _READ),
)
"""Where exchucutil gives the voice side rights, and which: the topic's list and the ruling on the container of gateways."""
_NAMES = {"listchildren": "ListChildren", "readproperty": "ReadProperty"}


def dial_plans(case: Case) -> Iterator[Finding]:
    """Phase 3: everything but the security, which is phase 4's."""
    section = case.section("UMDialPlan")
    there = section.by("Name")
    fields = [field for field in FIELDS[o.UMDialPlan] if field != "voip_security"]
    for plan in case.dial_plans():
        context = phone_context(plan.name, plan.forest)
        wanted = from_declared(o.UMDialPlan, plan, phone_context=context, voip_security=VoIPSecurity.UNSECURED)
        found = there.get(plan.name.lower())
        yield from compare("UM dial plan", wanted, found, section, fields, name=plan.name, shells=case.shells)


def security(case: Case) -> Iterator[Finding]:
    """Phase 4. An absent dial plan will be made Unsecured, as New-UMDialPlan does."""
    section = case.section("UMDialPlan")
    there = section.by("Name")
    for plan in case.dial_plans():
        found = there.get(plan.name.lower())
        if found is None and section.unread:
            yield Unreadable(f"UMDialPlan: {section.unread}")
            continue
        before = aligned(text(found, "VoIPSecurity") if found else VoIPSecurity.UNSECURED, plan.voip_security)
        if before != plan.voip_security:
            detail = difference("voip_security", before, plan.voip_security)
            yield Change(action="~", kind="UM dial plan", name=plan.name, details=(detail,))


def policies(case: Case) -> Iterator[Finding]:
    """Phase 3: those declared in every property, the default ones by their dial plan."""
    section = case.section("UMMailboxPolicy")
    there, own = section.by("Name"), {policy.name for policy in case.organization.um_mailbox_policies}
    names = {plan.name for plan in case.dial_plans()}
    for policy in mailbox_policies(case.organization).values():
        if policy.um_dial_plan not in names:
            continue
        wanted = from_declared(o.UMMailboxPolicy, policy, dial_plan=policy.um_dial_plan)
        fields = FIELDS[o.UMMailboxPolicy] if policy.name in own else ("name", "dial_plan")
        found = there.get(policy.name.lower())
        yield from compare("UM mailbox policy", wanted, found, section, fields, name=policy.name, shells=case.shells)


def attendants(case: Case) -> Iterator[Finding]:
    """Phase 3."""
    section = case.section("UMAutoAttendant")
    there, names = section.by("Name"), {plan.name for plan in case.dial_plans()}
    for each in case.organization.um_auto_attendants:
        if each.um_dial_plan in names:
            wanted = from_declared(o.UMAutoAttendant, each, dial_plan=each.um_dial_plan)
            found = there.get(each.name.lower())
            yield from compare("UM auto attendant", wanted, found, section, FIELDS[o.UMAutoAttendant], name=each.name)


def plain_gateways(case: Case) -> Iterator[Finding]:
    """Phase 3: plain gateways, by their address or else by their name, and the hunt group of each."""
    section, groups = case.section("UMIPGateway"), case.section("UMHuntGroup")
    places = _hunt_groups_by_place(groups)
    there, names = section.by("Name") | section.by("Address"), {plan.name for plan in case.dial_plans()}
    for each in case.organization.um_ip_gateways:
        if each.um_dial_plan not in names:
            continue
        wanted = from_declared(o.UMIPGateway, each, outcalls_allowed=False)
        fields = ("address", "port", "outcalls_allowed", "status")
        found = there.get(each.address.lower()) or there.get(each.name.lower())
        name = text(found, "Name") if found else each.name
        yield from compare("UM IP gateway", wanted, found, section, fields, name=name)
        yield from _hunt_group(groups, places, name, each.um_dial_plan, each.pilot_identifier)


_Places = Mapping[tuple[str, str], Sequence[ObservedObject]]


def _hunt_groups_by_place(groups: SeenSection) -> _Places:
    """The hunt groups by gateway and dial plan."""
    found: dict[tuple[str, str], list[ObservedObject]] = {}
    for each in groups.objects:
        found.setdefault((_name(each, "UMIPGateway"), _name(each, "UMDialPlan")), []).append(each)
    return found


def _hunt_group(groups: SeenSection, places: _Places, gateway: str, dial_plan: str, pilot: str) -> Iterator[Finding]:
    wanted = o.UMHuntGroup(name=dial_plan, gateway=gateway, dial_plan=dial_plan, pilot_identifier=pilot)
    mine = places.get((gateway.lower(), dial_plan.lower()), ())
    if mine and any(_name(each, "PilotIdentifier") == pilot.lower() for each in mine):
        return
    found = mine[0] if mine else None
    for each in compare("UM hunt group", wanted, found, groups, ("pilot_identifier",), name=dial_plan):
        if isinstance(each, Change):
            details = (f"at {gateway}", *(d for d in each.details if d != f"gateway {gateway}"))
            yield Change(action=each.action, kind=each.kind, name=each.name, details=details)
        else:
            yield each


def _name(found: ObservedObject, key: str) -> str:
    return text(found, key).lower()


def exchucutil(case: Case) -> Iterator[Finding]:
    """Phase 7: rights of the voice side, a gateway per pool, a hunt group per gateway and secured dial plan, outgoing calls."""
    yield from _permissions(case)
    org = case.organization
    section, groups = case.section("UMIPGateway"), case.section("UMHuntGroup")
    by_address, places = section.by("Address"), _hunt_groups_by_place(groups)
    secured = [
        plan.name
        for plan in org.um_dial_plans
        if plan.forest == case.forest
        and plan.voip_security is not VoIPSecurity.UNSECURED
        and plan.uri_type is UriType.SIP_NAME
    ]
    pools = _pools(case)
    for pool in pools:
        found = by_address.get(pool.fqdn.lower())
        name = text(found, "Name") if found else pool.fqdn
        port = 5061 if secured else 5060
        wanted = o.UMIPGateway(
            name=name, address=pool.fqdn, port=port, transport=Transport.TLS, outcalls_allowed=False, mwi_allowed=True
        )
        yield from compare("UM IP gateway", wanted, found, section, ("port", "status"), name=name)
        for plan in secured:
            yield from _hunt_group(groups, places, name, plan, plan)
    yield from _outcalls(pools, by_address)


def _pools(case: Case) -> tuple[tool.Pool, ...]:
    """The pools that get a gateway."""
    org = case.organization
    users = Counter(user.pool for user in org.users if user.line_uri)
    pools = (tool.Pool(fqdn=p.fqdn, pool_type=p.pool_type, users=users[p.fqdn]) for p in org.voice_pools)
    return tool.chosen(pools, only_ev_pools=org.only_ev_pools)


def _outcalls(pools: tuple[tool.Pool, ...], by_address: dict[str, ObservedObject]) -> Iterator[Finding]:
    """Outgoing calls are allowed on exactly one gateway of a pool, which is no Director and no branch."""
    there = {pool.fqdn: found for pool in pools if (found := by_address.get(pool.fqdn.lower())) is not None}
    calling = {fqdn for fqdn, found in there.items() if found.get("OutcallsAllowed") is True}
    allowed = [pool for pool in pools if pool.fqdn in there and pool.may_call_out]
    keeper = tool.outcall_pool([pool for pool in allowed if pool.fqdn in calling] or allowed)
    for pool in pools:
        if pool.fqdn in there and (pool.fqdn in calling) != (pool.fqdn == keeper):
            detail = difference("outcalls_allowed", pool.fqdn in calling, pool.fqdn == keeper)
            yield Change(action="~", kind="UM IP gateway", name=text(there[pool.fqdn], "Name"), details=(detail,))


def _permissions(case: Case) -> Iterator[Finding]:
    section = case.section("ADPermission")
    held: dict[tuple[str, str], set[str]] = {}
    for ace in section.objects:
        if ace.get("Deny") is not True:
            group = text(ace, "User").rpartition("\\")[2].lower()
            held.setdefault((_name(ace, "Container"), group), set()).update(
                right.replace(" ", "").lower() for right in texts(ace, "AccessRights")
            )
    for container, rights in _CONTAINERS:
        for group in _GROUPS:
            found = held.get((container.lower(), group.lower()), set())
            if found & _ALL_RIGHTS or ("genericread" in found):
                continue
            if lacking := sorted(rights - found):
                if section.unread:
                    yield Unreadable(f"ADPermission: {section.unread}")
                    return
                detail = f"{group} {'+'.join(_NAMES[right] for right in lacking)}"
                yield Change(action="+", kind="permission", name=container, details=(detail,))


def eum_addresses(case: Case) -> Iterator[Finding]:
    """Phase 6, of mailboxes that are enabled already; Enable-UMMailbox gives the others theirs in phase 11."""
    section = case.section("UMMailbox")
    there = section.by("PrimarySmtpAddress")
    if section.unread:
        yield Unreadable(f"UMMailbox: {section.unread}")
    for user, plan in _users(case):
        found = there.get(user.mail.lower())
        if found is None or plan.uri_type is UriType.TEL_EXTN:
            continue
        wanted = EumAddress(address=plan.address_of(user), phone_context=phone_context(plan.name, plan.forest))
        held = [eum for each in texts(found, "EmailAddresses") if (eum := EumAddress.parse(each))]
        if wanted.key not in {each.key for each in held}:
            yield Change(action="+", kind="EUM address", name=user.mail, details=(str(wanted),))


def um_users(case: Case) -> Iterator[Finding]:
    """Phase 11: enabled for UM, with policy and extension."""
    section = case.section("UMMailbox")
    there = section.by("PrimarySmtpAddress")
    for user, _ in _users(case):
        mail, policy, extension = user.mail, user.um_mailbox_policy, user.extension
        found = there.get(mail.lower())
        if found is None:
            if section.unread:
                yield Unreadable(f"UMMailbox: {section.unread}")
                return
            details = (f"um_mailbox_policy {policy}", f"extension {extension}")
            yield Change(action="+", kind="UM mailbox", name=mail, details=details)
            continue
        changed: tuple[str, ...] = ()
        if (held := aligned(text(found, "UMMailboxPolicy"), policy)) != policy:
            changed = (difference("um_mailbox_policy", held, policy),)
        if extension not in (numbers := texts(found, "Extensions")):
            changed = (*changed, difference("extensions", numbers, (extension,)))
        if changed:
            yield Change(action="~", kind="UM mailbox", name=mail, details=changed)


def _users(case: Case) -> Iterator[tuple[m.DeclaredUser, m.DeclaredUMDialPlan]]:
    """The users of the forest's dial plans who are to be enabled for UM.

    Of several versions' steps each has those whose mailbox its shell has seen; who was seen by several or none is the newest's.
    """
    plans = {plan.name: plan for plan in case.organization.um_dial_plans if plan.forest == case.forest}
    policies = mailbox_policies(case.organization)
    owners = {
        text(mailbox, "PrimarySmtpAddress").lower(): each.shell
        for each in sorted(case.seen.observations, key=lambda each: each.shell)
        for mailbox in each.objects.get("UMMailbox", ())
    }
    for user in case.organization.users:
        policy = policies.get(user.um_mailbox_policy)
        if policy is None or (plan := plans.get(policy.um_dial_plan)) is None:
            continue
        if not case.version or owners.get(user.mail.lower(), case.newest_shell) == case.step.shell:
            yield user, plan
