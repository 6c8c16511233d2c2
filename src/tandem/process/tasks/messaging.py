"""Phases 1 to 5: messaging servers, certificates, UM dial plans, their security and their servers."""

import dataclasses
from collections.abc import Iterator
from functools import partial

from tandem.directory import objects as o
from tandem.directory.defaults import exchange_aces
from tandem.directory.layout import ADMINISTRATIVE_GROUP
from tandem.org import model
from tandem.org.checks import mailbox_policies
from tandem.org.numbers import phone_context
from tandem.pki.authority import Authority
from tandem.pki.store import CertificateStore
from tandem.process.phases import ENTERPRISE_ADMINS, LOCAL_ADMINS, ORGANIZATION, SERVER_OPERATORS, Side
from tandem.process.task import Change, Context, Step, Task, container, ensure, phase
from tandem.process.tasks.preconditions import tandem_pools, tandem_um_servers

TANDEM_VERSION = "Tandem UM 15"
"""What a Tandem server's version is in the directory: its phases follow Exchange 2013 (major version 15)."""


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phases 1 to 5."""
    at, x = context.layout, Side.MESSAGING
    exchange = (at.exchange,)
    first = not context.repository.all(o.MessagingServer)
    yield Task(
        id="1/organization",
        phase=phase(1),
        title=f"Messaging organization {at.organization}",
        side=x,
        required=ENTERPRISE_ADMINS,
        steps=_organization,
        reads=exchange,
        gate=False,  # 1/servers tells more; the voice side may list the organization, not read it
    )
    yield Task(
        id="1/servers",
        phase=phase(1),
        title="Messaging servers" + (" (the first of the organization)" if first else ""),
        side=x,
        required=ENTERPRISE_ADMINS if first else ORGANIZATION,
        steps=_servers,
        reads=(at.servers,),
    )
    yield Task(
        id="2/um-servers",
        phase=phase(2),
        title="Certificates of the UM servers",
        side=x,
        required=LOCAL_ADMINS,
        steps=_um_certificates,
    )
    yield Task(
        id="2/voice-servers",
        phase=phase(2),
        title="Certificates of the voice servers",
        side=Side.VOICE,
        required=LOCAL_ADMINS,
        steps=_voice_certificates,
        needs=(0,),
    )
    yield Task(
        id="3/dial-plans",
        phase=phase(3),
        title="UM dial plans",
        side=x,
        required=ORGANIZATION,
        steps=_dial_plans,
        reads=(at.um_dial_plans,),
    )
    yield Task(
        id="3/mailbox-policies",
        phase=phase(3),
        title="UM mailbox policies",
        side=x,
        required=ORGANIZATION,
        steps=_mailbox_policies,
        reads=(at.um_mailbox_policies,),
        gate=False,  # the voice side never reads them, and needs none
    )
    yield Task(
        id="3/plain-gateways",
        phase=phase(3),
        title="Plain UM IP gateways and their hunt groups",
        side=x,
        required=ORGANIZATION,
        steps=_plain_gateways,
        reads=(at.um_ip_gateways,),
    )
    yield Task(
        id="4/security",
        phase=phase(4),
        title="VoIP security of the UM dial plans",
        side=x,
        required=ORGANIZATION,
        steps=_security,
        reads=(at.um_dial_plans,),
    )
    yield Task(
        id="5/servers",
        phase=phase(5),
        title="UM servers in the dial plans: startup mode, certificate for UM",
        side=x,
        required=SERVER_OPERATORS,
        steps=_dial_plan_servers,
        reads=(at.servers,),
    )


def _organization(context: Context) -> Iterator[Step]:
    at = context.layout
    yield from container(context, at.microsoft_exchange, "container")
    yield from container(context, at.exchange, "msExchOrganizationContainer", aces=exchange_aces(at), protected=True)
    for dn in (at.um_dial_plans, at.um_ip_gateways, at.um_auto_attendants, at.um_mailbox_policies):
        yield from container(context, dn, "container")
    group = at.administrative_groups.child("CN", ADMINISTRATIVE_GROUP)
    for dn in (at.administrative_groups, group, at.servers):
        yield from container(context, dn, "container")


def _servers(context: Context) -> Iterator[Step]:
    for server in tandem_um_servers(context.organization):
        wanted = o.MessagingServer(
            fqdn=server.fqdn,
            kind=server.kind,
            version=TANDEM_VERSION,
            roles=("Tandem UM",),
            sip_tcp_port=server.sip_tcp_port,
            sip_tls_port=server.sip_tls_port,
        )
        kept = ("dial_plans", "startup_mode", "status", "certificate_thumbprint")  # phase 5's and the administrator's
        yield from ensure(context, "messaging server", wanted, keep=kept)


def _certificate(context: Context, subject: str, names: tuple[str, ...]) -> Iterator[Step]:
    store = CertificateStore(folder=context.pki / subject)
    at = context.clock.at()

    def install() -> None:
        authority = Authority.open_or_create(context.pki / "authority", organization=context.organization.name, at=at)
        store.install(*authority.issue(subject, names, at=at), authority.root_pem)

    if why := store.problem(subject, names, at=at):
        action = "~" if store.certificate.exists() else "+"
        yield Change(action=action, kind="certificate", name=subject, details=(why,)), install


def _um_certificates(context: Context) -> Iterator[Step]:
    for server in tandem_um_servers(context.organization):
        yield from _certificate(context, server.fqdn, ())


def _voice_certificates(context: Context) -> Iterator[Step]:
    for pool in tandem_pools(context.organization):
        yield from _certificate(context, pool.fqdn, pool.servers)


def _dial_plans(context: Context) -> Iterator[Step]:
    for plan in context.organization.um_dial_plans:
        wanted = o.UMDialPlan(
            name=plan.name,
            phone_context=phone_context(plan.name, plan.forest),
            uri_type=plan.uri_type,
            voip_security=model.VoIPSecurity.UNSECURED,  # New-UMDialPlan's default; phase 4 sets it
            extension_digits=plan.extension_digits,
            access_numbers=plan.access_numbers,
            country_code=plan.country_code,
            language=plan.language,
            operator_extension=plan.operator_extension,
            max_call_duration_min=plan.max_call_duration_min,
            max_recording_duration_min=plan.max_recording_duration_min,
            recording_idle_timeout_s=plan.recording_idle_timeout_s,
        )
        yield from ensure(context, "UM dial plan", wanted, keep=("voip_security",))


def _mailbox_policies(context: Context) -> Iterator[Step]:
    for policy in mailbox_policies(context.organization).values():
        wanted = o.UMMailboxPolicy(
            name=policy.name,
            dial_plan=policy.um_dial_plan,
            min_pin_length=policy.min_pin_length,
            pin_lifetime_days=policy.pin_lifetime_days,
            pin_history_count=policy.pin_history_count,
            logon_failures_before_pin_reset=policy.logon_failures_before_pin_reset,
            max_logon_attempts=policy.max_logon_attempts,
            allow_missed_call_notifications=policy.allow_missed_call_notifications,
            allow_message_waiting_indicator=policy.allow_message_waiting_indicator,
            um_enabled_text=policy.um_enabled_text,
            voice_mail_text=policy.voice_mail_text,
        )
        yield from ensure(context, "UM mailbox policy", wanted)


def _plain_gateways(context: Context) -> Iterator[Step]:
    for gateway in context.organization.um_ip_gateways:
        wanted = o.UMIPGateway(
            name=gateway.name,
            address=gateway.address,
            port=gateway.port,
            transport=gateway.transport,
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
    for plan in context.organization.um_dial_plans:
        current = present.get(plan.name)
        if current is None:
            if plan.voip_security is not model.VoIPSecurity.UNSECURED:
                yield (
                    Change(action="~", kind="UM dial plan", name=plan.name, details=(plan.voip_security,)),
                    lambda: None,
                )
        elif current.voip_security != plan.voip_security:
            after = dataclasses.replace(current, voip_security=plan.voip_security)
            change = Change(
                action="~",
                kind="UM dial plan",
                name=plan.name,
                details=(f"voip_security {current.voip_security} -> {plan.voip_security}",),
            )
            yield change, partial(context.repository.update, current, after)


def startup_mode(security: set[str]) -> str:
    """TLS where every dial plan is secured, TCP where none is, Dual where they differ."""
    plain = model.VoIPSecurity.UNSECURED in security
    return ("TCP" if len(security) == 1 else "Dual") if plain else "TLS"


def _dial_plan_servers(context: Context) -> Iterator[Step]:
    org = context.organization
    present = {server.fqdn: server for server in context.repository.all(o.MessagingServer)}
    for server in tandem_um_servers(org):
        plans = [p for p in org.um_dial_plans if server.dial_plans is None or p.name in server.dial_plans]
        current = present.get(server.fqdn)
        if current is None or not plans:
            if plans:
                names = ", ".join(p.name for p in plans)
                yield Change(action="~", kind="messaging server", name=server.fqdn, details=(names,)), lambda: None
            continue
        after = dataclasses.replace(
            current,
            dial_plans=tuple(p.name for p in plans),
            startup_mode=startup_mode({p.voip_security for p in plans}),
            certificate_thumbprint=CertificateStore(folder=context.pki / server.fqdn).thumbprint(),
        )
        yield from ensure(context, "messaging server", after)
