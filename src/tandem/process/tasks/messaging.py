"""Phases 1 to 5: messaging servers, certificates, UM dial plans, their security and their servers."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

from tandem.directory import objects as o
from tandem.directory.defaults import exchange_aces, organizations_aces
from tandem.directory.layout import ADMINISTRATIVE_GROUP, ORGANIZATION_CLASS
from tandem.org import model
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import phone_context
from tandem.org.topology import names_of_pool, startup_mode
from tandem.org.vocabulary import PoolKind, ServerKind, StartupMode, VoIPSecurity
from tandem.pki.authority import Authority
from tandem.pki.errors import PkiError
from tandem.pki.store import CertificateStore
from tandem.process.errors import ProcessError
from tandem.process.phases import Side
from tandem.process.roles import CERTIFICATES, ENTERPRISE_ADMINS, SERVER_OPERATORS, MessagingRoles, any_of
from tandem.process.task import (
    Change,
    Context,
    Step,
    Task,
    container,
    difference,
    ensure,
    from_declared,
    nothing,
    phase,
    phase_of,
)
from tandem.process.tasks.preconditions import known_aces, pairs, task_id

_HIDDEN = "You cannot read UM objects until phase 7 (exchucutil) has run"
TANDEM_VERSION = "Tandem UM 15"
"""What a Tandem server's version is in the directory: its phases follow Exchange 2013 (major version 15)."""


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phases 1 to 5 for servers of kind tandem, in each forest that has some."""
    org = context.organization
    for forest in org.messaging_forests:
        if org.servers_in(forest, ServerKind.TANDEM):
            yield from _tasks(context.at(forest))
    if org.pools_of(PoolKind.TANDEM):
        yield Task(
            id="2/voice-servers",
            phase=phase(2),
            title="Certificates of the voice servers",
            side=Side.VOICE,
            required=CERTIFICATES,
            forest=org.voice_forest,
            steps=_voice_certificates,
            needs=(0,),
        )


def _tasks(context: Context) -> Iterator[Task]:
    at, org = context.layout, context.organization
    roles = MessagingRoles.of(org.servers_in(at.forest, ServerKind.TANDEM))
    first = not context.repository.all(o.MessagingServer)
    before: tuple[str, ...] = ()
    for id_, title, required, steps, reads, gate in (
        # Not a gate: 1/servers tells more, and the voice side may list the organization, not read it.
        ("1/organization", f"Messaging organization {at.organization}", any_of(ENTERPRISE_ADMINS), organization_steps,
         (at.exchange,), False),
        ("1/servers", "Messaging servers" + (" (the first of the organization)" if first else ""),
         roles.servers(first=first), _servers, (at.servers,), True),
        ("2/um-servers", "Certificates of the UM servers", CERTIFICATES, _um_certificates, (), True),
        ("3/dial-plans", "UM dial plans", roles.organization(), _dial_plans, (at.um_dial_plans,), True),
        # The voice side never reads mailbox policies, and needs none.
        ("3/mailbox-policies", "UM mailbox policies", roles.organization(), _mailbox_policies,
         (at.um_mailbox_policies,), False),
        ("3/auto-attendants", "UM auto attendants", roles.organization(), _auto_attendants,
         (at.um_auto_attendants,), True),
        ("3/plain-gateways", "Plain UM IP gateways and their hunt groups", roles.organization(), _plain_gateways,
         (at.um_ip_gateways,), True),
        ("4/security", "VoIP security of the UM dial plans", roles.organization(), _security,
         (at.um_dial_plans,), True),
        ("5/servers", "UM servers in the dial plans: startup mode, certificate for UM", SERVER_OPERATORS,
         _dial_plan_servers, (at.servers,), True),
    ):  # fmt: skip
        yield Task(
            id=task_id(id_, at.forest, org.messaging_forests),
            phase=phase_of(id_),
            title=title,
            side=Side.MESSAGING,
            required=required,
            forest=at.forest,
            steps=steps,
            reads=reads,
            gate=gate,
            hidden=_HIDDEN if gate else "the voice side does not read this, and needs none of it",
            after=() if id_ == "3/dial-plans" else before,
        )
        if id_ in ("1/organization", "3/dial-plans"):  # what the later ones put their objects into
            before = (*before, id_)


def _here(context: Context) -> tuple[model.DeclaredMessagingServer, ...]:
    return context.organization.servers_in(context.layout.forest, ServerKind.TANDEM)


def dial_plans_here(context: Context) -> tuple[model.DeclaredUMDialPlan, ...]:
    """The UM dial plans of the context's forest."""
    return tuple(plan for plan in context.organization.um_dial_plans if plan.forest == context.layout.forest)


def organization_steps(context: Context) -> Iterator[Step]:
    """The containers of a messaging organization, with the rights on them."""
    at = context.layout
    see = known_aces(context, organizations_aces(at, pairs(context.organization)))
    yield from container(context, at.microsoft_exchange, "container", aces=see)
    yield from container(context, at.exchange, ORGANIZATION_CLASS, aces=exchange_aces(at), protected=True)
    for dn in (at.um_dial_plans, at.um_ip_gateways, at.um_auto_attendants, at.um_mailbox_policies):
        yield from container(context, dn, "container")
    group = at.administrative_groups.child("CN", ADMINISTRATIVE_GROUP)
    for dn in (at.administrative_groups, group, at.servers):
        yield from container(context, dn, "container")


def _servers(context: Context) -> Iterator[Step]:
    for server in _here(context):
        wanted = from_declared(o.MessagingServer, server, version=TANDEM_VERSION, roles=("Tandem UM",), dial_plans=())
        kept = ("dial_plans", "startup_mode", "status", "certificate_thumbprint")  # phase 5's and the administrator's
        yield from ensure(context, "messaging server", wanted, keep=kept)


def _certificate(context: Context, subject: str, names: tuple[str, ...]) -> Iterator[Step]:
    store = CertificateStore(folder=context.pki / subject)
    at = context.clock.at()

    def install() -> None:
        folder = context.pki / "authority"
        try:
            authority = Authority.open_or_create(folder, organization=context.organization.name, at=at)
        except PkiError as error:
            also = "".join(f" --also {name}" for name in names if name != subject)
            raise ProcessError(
                f"{error}. If the authority is on another machine, have the certificate made there "
                f"(tandem pki issue {subject}{also}), and bring its folder to {store.folder}"
            ) from None
        store.install(*authority.issue(subject, names, at=at), authority.root_pem)
        if (revocations := authority.kept_list(folder, at=at)) is not None:
            store.put_list(revocations)

    if why := store.problem(subject, names, at=at):
        action = "~" if store.certificate.exists() else "+"
        yield Change(action=action, kind="certificate", name=subject, details=(why,)), install


def _um_certificates(context: Context) -> Iterator[Step]:
    for server in _here(context):
        yield from _certificate(context, server.fqdn, ())


def _voice_certificates(context: Context) -> Iterator[Step]:
    for pool in context.organization.pools_of(PoolKind.TANDEM):
        yield from _certificate(context, pool.fqdn, names_of_pool(context.organization, pool))


def _dial_plans(context: Context) -> Iterator[Step]:
    for plan in dial_plans_here(context):
        wanted = from_declared(
            o.UMDialPlan,
            plan,
            phone_context=phone_context(plan.name, plan.forest),
            voip_security=VoIPSecurity.UNSECURED,  # New-UMDialPlan's default; phase 4 sets it
        )
        held = context.repository.same(wanted)
        if held is not None and held[0].uri_type != wanted.uri_type:
            raise ProcessError(
                f"UM dial plan {plan.name} is of URI type {held[0].uri_type} and declared as {wanted.uri_type}: "
                "the type cannot be changed; declare a dial plan of another name, and move its users there"
            )
        yield from ensure(context, "UM dial plan", wanted, keep=("voip_security",))


def _mailbox_policies(context: Context) -> Iterator[Step]:
    here = {plan.name for plan in dial_plans_here(context)}
    for policy in mailbox_policies(context.organization).values():
        if policy.um_dial_plan not in here:
            continue
        wanted = from_declared(o.UMMailboxPolicy, policy, dial_plan=policy.um_dial_plan)
        yield from ensure(context, "UM mailbox policy", wanted)


def _auto_attendants(context: Context) -> Iterator[Step]:
    here = {plan.name for plan in dial_plans_here(context)}
    for attendant in context.organization.um_auto_attendants:
        if attendant.um_dial_plan in here:
            wanted = from_declared(o.UMAutoAttendant, attendant, dial_plan=attendant.um_dial_plan)
            yield from ensure(context, "UM auto attendant", wanted)


def _plain_gateways(context: Context) -> Iterator[Step]:
    here = {plan.name for plan in dial_plans_here(context)}
    for gateway in context.organization.um_ip_gateways:
        if gateway.um_dial_plan not in here:
            continue
        wanted = from_declared(
            o.UMIPGateway,
            gateway,
            outcalls_allowed=False,  # nothing that a plain gateway sends proves who calls
        )
        yield from ensure(context, "UM IP gateway", wanted, keep=("mwi_allowed", "status"))
        group = o.UMHuntGroup(
            name=gateway.um_dial_plan,
            gateway=gateway.name,
            dial_plan=gateway.um_dial_plan,
            pilot_identifier=gateway.pilot_identifier,
        )
        yield from ensure(context, "UM hunt group", group)


def _security(context: Context) -> Iterator[Step]:
    present = {plan.name: plan for plan in context.repository.all(o.UMDialPlan)}
    for plan in dial_plans_here(context):
        current = present.get(plan.name)
        before = current.voip_security if current else VoIPSecurity.UNSECURED  # as phase 3 makes it
        if before != plan.voip_security:
            detail = difference("voip_security", before, plan.voip_security)
            change = Change(action="~", kind="UM dial plan", name=plan.name, details=(detail,))
            after = dataclasses.replace(current, voip_security=plan.voip_security) if current else None
            yield change, partial(context.repository.update, current, after) if current else nothing


def _dial_plan_servers(context: Context) -> Iterator[Step]:
    """Dial plans that are no longer declared stay until nothing is left of them (see removals)."""
    org = context.organization
    present = {server.fqdn: server for server in context.repository.all(o.MessagingServer)}
    known = {plan.name for plan in org.um_dial_plans}
    for server in _here(context):
        plans = [p for p in dial_plans_here(context) if server.dial_plans is None or p.name in server.dial_plans]
        current = present.get(server.fqdn)
        before = current or o.MessagingServer(fqdn=server.fqdn, kind=server.kind)
        leaving = tuple(name for name in before.dial_plans if name not in known)
        fields: dict[str, Any] = {
            "dial_plans": (*(p.name for p in plans), *leaving),
            "startup_mode": startup_mode({p.voip_security for p in plans}) if plans else before.startup_mode,
        }
        details = [
            difference(n, getattr(before, n), v) for n, v in fields.items() if not o.same(n, getattr(before, n), v)
        ]
        # It can be enabled only with TLS or Dual; until phase 2 has made it, there is nothing to compare with.
        secured = fields["startup_mode"] is not StartupMode.TCP
        thumbprint = CertificateStore(folder=context.pki / server.fqdn).thumbprint() if secured else ""
        # A renewed certificate is another one, and enabled as the one before: the server takes the file by itself.
        if bool(thumbprint) != bool(before.certificate_thumbprint) or (secured and not thumbprint):
            details.append("certificate of phase 2 enabled for UM" if secured else "no certificate enabled for UM")
        if details:
            change = Change(action="~", kind="messaging server", name=server.fqdn, details=tuple(details))
            after = dataclasses.replace(before, **fields, certificate_thumbprint=thumbprint)
            yield change, partial(context.repository.update, current, after) if current else nothing
