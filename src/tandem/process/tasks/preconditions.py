"""Phase 0: what the topic assumes is there. Groups, accounts, OUs, users, voice pools, SIP addresses."""

import dataclasses
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from tandem.directory import objects as o
from tandem.directory.defaults import voice_aces
from tandem.directory.dn import DN
from tandem.org import model
from tandem.org.groups import GROUPS, SERVICE_GROUPS
from tandem.process.errors import ProcessError
from tandem.process.phases import DIRECTORY_ADMINS, VOICE_SERVERS, VOICE_USERS, Requirement, Side
from tandem.process.task import Change, Context, Step, Steps, Task, container, differences, ensure, phase

INITIAL_ADMINISTRATOR = "administrator"
UM_SERVER_GROUPS = ("Exchange Servers",)
VOICE_SERVER_GROUPS = ("RTCHSUniversalServices", "RTCComponentUniversalServices")


def tasks(context: Context) -> Iterator[Task]:
    """The tasks of phase 0, in an order in which each finds what it needs."""

    def task(name: str, title: str, side: Side, required: Requirement, steps: Steps) -> Task:
        return Task(id=f"0/{name}", phase=phase(0), title=title, side=side, required=required, steps=steps)

    d = Side.DIRECTORY
    yield task("groups", "Groups of both teams", d, DIRECTORY_ADMINS, _groups)
    yield task("organizational-units", "Organizational units", d, DIRECTORY_ADMINS, _ous)
    yield task("administrators", "Administrators and their groups", d, DIRECTORY_ADMINS, _administrators)
    yield task("voice-containers", "Containers of the voice side", d, DIRECTORY_ADMINS, _voice_containers)
    yield task("server-accounts", "Accounts of the servers", d, DIRECTORY_ADMINS, _server_accounts)
    yield task("users", "Users", d, DIRECTORY_ADMINS, _users)
    yield task("pools", "Voice pools", Side.VOICE, VOICE_SERVERS, _pools)
    yield task("sip-addresses", "SIP addresses of users", Side.VOICE, VOICE_USERS, _sip_addresses)


def tandem_um_servers(org: model.Organization) -> tuple[model.MessagingServer, ...]:
    """The messaging servers that this process deploys itself."""
    return tuple(s for s in org.messaging_servers if s.kind is model.ServerKind.TANDEM)


def tandem_pools(org: model.Organization) -> tuple[model.VoicePool, ...]:
    """The voice pools that this process deploys itself."""
    return tuple(p for p in org.voice_pools if p.kind is model.PoolKind.TANDEM)


def accounts_of_servers(org: model.Organization) -> dict[str, tuple[str, ...]]:
    """The account of each server (its FQDN) with the groups that it is to be in."""
    um: dict[str, tuple[str, ...]] = {server.fqdn: UM_SERVER_GROUPS for server in tandem_um_servers(org)}
    voice: dict[str, tuple[str, ...]] = {
        name: VOICE_SERVER_GROUPS for pool in tandem_pools(org) for name in (pool.servers or (pool.fqdn,))
    }
    return um | voice


def read_secret(org: model.Organization, account: str) -> str:
    """An account's password from the secrets folder. Raises :class:`ProcessError` with what to do."""
    path = Path(org.secrets) / account
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ProcessError(
            f"the password of {account} cannot be read from {path}: {error.strerror}; "
            "'tandem directory create' makes those that are missing"
        ) from None
    if not text:
        raise ProcessError(f"{path} is empty; it is to hold the password of {account}")
    return text


def _member(context: Context, group: str, member: DN) -> Iterable[Step]:
    """A direct membership."""

    def add() -> None:
        entry = context.session.get(context.layout.group(group))
        members = entry.all("member") if entry else ()
        context.session.replace(context.layout.group(group), {"member": (*members, str(member))})

    entry = context.session.get(context.layout.group(group))
    held = {DN.parse(text) for text in entry.all("member")} if entry else set()
    if member not in held:
        yield Change(action="+", kind="member", name=group, details=(member.name,)), add


def _groups(context: Context) -> Iterator[Step]:
    administrator = context.layout.users.child("CN", INITIAL_ADMINISTRATOR)
    for name in (name for names in GROUPS.values() for name in names):
        if context.session.get(context.layout.group(name)) is None:
            # The initial administrator holds every role, and none of the servers' rights.
            wanted = o.Group(name=name, members=() if name in SERVICE_GROUPS else (str(administrator),))
            yield from ensure(context, "group", wanted)


def _ous(context: Context) -> Iterator[Step]:
    for text in context.organization.organizational_units:
        yield from container(context, DN.parse(text), "organizationalUnit")


def _account(context: Context, kind: str, wanted: o.User | o.Computer, account: str) -> Iterator[Step]:
    dn = context.repository.dn_of(wanted)
    if context.session.get(dn) is None:
        yield Change(action="+", kind=kind, name=account), lambda: context.repository.add(wanted)
    if not context.session.has_password(dn):
        change = Change(action="~", kind=kind, name=account, details=("password (sensitive)",))
        yield change, lambda: context.session.set_password(dn, read_secret(context.organization, account))


def _administrators(context: Context) -> Iterator[Step]:
    for admin in context.organization.administrators:
        user = o.User(account=admin.account, container=str(context.layout.users), display_name=admin.display_name)
        yield from _account(context, "administrator", user, admin.account)
        for group in admin.groups:
            yield from _member(context, group, context.repository.dn_of(user))


def _server_accounts(context: Context) -> Iterator[Step]:
    for fqdn, groups in accounts_of_servers(context.organization).items():
        computer = o.Computer(fqdn=fqdn)
        yield from _account(context, "server account", computer, fqdn)
        for group in groups:
            yield from _member(context, group, context.repository.dn_of(computer))


def _voice_containers(context: Context) -> Iterator[Step]:
    at = context.layout
    yield from container(context, at.rtc_service, "msRTCSIP-Service", aces=voice_aces(at))
    yield from container(context, at.pools, "msRTCSIP-Pools")
    yield from container(context, at.voice, "container", aces=voice_aces(at))
    yield from container(context, at.voice_dial_plans, "container")
    yield from container(context, at.voice_policies, "container")


def _pools(context: Context) -> Iterator[Step]:
    for pool in context.organization.voice_pools:
        wanted = o.VoicePool(
            fqdn=pool.fqdn,
            kind=pool.kind,
            pool_type=pool.pool_type,
            servers=pool.servers or (pool.fqdn,),
            media_encryption=pool.media_encryption,
            digest=pool.digest,
            ring_s=pool.ring_s,
            sip_tls_port=pool.sip_tls_port,
        )
        yield from ensure(context, "voice pool", wanted)


def _users(context: Context) -> Iterator[Step]:
    present = {user.account: user for user in context.repository.all(o.User)}
    for user in context.organization.users:
        wanted = o.User(account=user.account, container=user.ou, display_name=user.display_name, mail=user.mail)
        current = present.get(user.account)
        if current is None:
            change = Change(action="+", kind="user", name=user.account)
            yield change, partial(context.repository.add, wanted)
            continue
        after = dataclasses.replace(current, display_name=user.display_name, mail=user.mail)
        yield from changed(context, current, after)


def changed(context: Context, before: o.User, after: o.User) -> Iterator[Step]:
    """A user whose attributes are to be others."""
    if details := differences(before, after):
        change = Change(action="~", kind="user", name=before.account, details=details)
        yield change, lambda: context.repository.update(before, after)


def sip_proxy(before: tuple[str, ...], address: str) -> tuple[str, ...]:
    """Proxy addresses with this SIP address and no other."""
    if [p for p in before if p.lower().startswith("sip:")] == [f"sip:{address}"]:
        return before
    return (*(p for p in before if not p.lower().startswith("sip:")), f"sip:{address}")


def _sip_addresses(context: Context) -> Iterator[Step]:
    present = {user.account: user for user in context.repository.all(o.User)}
    for user in context.organization.users:
        current = present.get(user.account)
        if current is None:
            if user.sip_address:
                yield Change(action="~", kind="user", name=user.account, details=("SIP address",)), lambda: None
            continue
        if not user.sip_address:
            continue
        after = dataclasses.replace(
            current,
            sip_address=f"sip:{user.sip_address}",
            sip_enabled=True,
            home_pool=user.pool,
            proxy_addresses=sip_proxy(current.proxy_addresses, user.sip_address),
        )
        yield from changed(context, current, after)
        if not current.sip_enabled:
            # The secret cannot be read back by whoever sets it: it is made when the address is enabled.
            change = Change(action="+", kind="SIP secret", name=user.account, details=("(sensitive)",))
            yield change, partial(context.repository.set_sip_secret, after, context.ids.token(16))
