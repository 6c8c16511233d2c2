"""Import: what a directory holds, as an organization file whose plan is empty for it.

Nothing is dropped: what cannot be said in the file, or was guessed, is a comment at its head.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import yaml

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.found import Found
from tandem.directory.layout import forest_of
from tandem.org import model as m
from tandem.org.vocabulary import PoolType, ServerKind, Transport, default_policy
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR
from tandem.process.tools.targets import read_target

_Dict = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    """Writes a word of the contract as its text, wherever it appears."""


_Dumper.add_multi_representer(StrEnum, lambda dumper, word: dumper.represent_str(word.value))


def organization_text(found: Found, directory: Mapping[str, str], *, roots: str = "") -> str:
    """The file. ``directory`` has the address of each forest, the first one's first."""
    addresses = list(directory.values())
    forests = _forests(found, directory, addresses[0])
    sections: _Dict = {
        "tandem": 1,
        "name": found.organization or "Imported",
        "directory": addresses[0],
        **({"directory_roots": roots} if roots else {}),
        "forests": forests,
        "messaging_servers": list(_servers(found)),
        "voice_pools": list(_pools(found)),
        "um_dial_plans": list(_dial_plans(found)),
        "um_mailbox_policies": list(_policies(found)),
        "um_ip_gateways": list(_plain_gateways(found)),
        "um_auto_attendants": list(_attendants(found)),
        "voice_dial_plans": [
            {"identity": p.identity, "simple_name": p.simple_name, **_rules(p)} for p in found.all(o.VoiceDialPlan)
        ],
        "voice_policies": [_said(m.DeclaredVoicePolicy, dataclasses.asdict(p)) for p in found.all(o.VoicePolicy)],
        "pstn_usages": [usage.name for usage in found.all(o.PstnUsage)],
        "voice_routes": [
            _said(m.DeclaredVoiceRoute, dataclasses.asdict(r), but=("priority",))
            for r in sorted(found.all(o.VoiceRoute), key=lambda r: r.priority)
        ],
        "pstn_gateways": [_said(m.DeclaredPstnGateway, dataclasses.asdict(g)) for g in found.all(o.PstnGateway)],
        "contacts": list(_contacts(found)),
        "organizational_units": sorted({each.container for each in _people(found) if each.container.startswith("OU=")}),
        "users": list(_users(found)),
        "administrators": list(_administrators(found)),
    }
    return _file_text(sections, _head(found))


def observed_text(sections: Mapping[str, object], notes: Iterable[str]) -> str:
    """The file of what was observed (:mod:`tandem.process.observing.imported.organization`)."""
    head = ["Read from observations by 'tandem import --observation'. 'tandem validate' checks it."]
    said = [f"  - {note}" for note in notes]
    head += ["What was seen and is not in the file, or was assumed:", *said] if said else []
    return _file_text({"tandem": 1, **sections}, head)


def _file_text(sections: Mapping[str, object], head: Iterable[str]) -> str:
    body = yaml.dump(
        {key: value for key, value in sections.items() if value},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )
    return "".join(f"# {' '.join(note.split())}\n" for note in head) + "\n" + body


def _head(found: Found) -> Iterator[str]:
    yield "Read from a directory by 'tandem import'. 'tandem validate' checks it, 'tandem plan' compares it again."
    if found.unread:
        yield "What the directory does not tell; keys that are not in the file have their default, which nobody has read:"
        yield from (f"  - {unread.text}" for unread in found.unread)
    if found.notes:
        yield "What was seen and is not in the file, or is told by something else:"
        yield from (f"  - {note}" for note in found.notes)


def _said(type_: Any, values: Mapping[str, Any], *, but: Iterable[str] = ()) -> _Dict:
    """The keys of an object that are not as by default."""
    out: _Dict = {}
    for each in dataclasses.fields(type_):
        if each.name not in values or each.name in but:
            continue
        value = values[each.name]
        default = each.default if each.default is not dataclasses.MISSING else None
        if value != default or each.default is dataclasses.MISSING:
            out[each.name] = list(value) if isinstance(value, tuple) else value
    return out


def _unread(found: Found, type_: type, name: str) -> set[str]:
    """The keys that are left out, since their values are not read."""
    return {each.field for each in found.unread_of(type_, name)} - {"extension_digits"}  # which has to be there


def _rules(plan: o.VoiceDialPlan) -> _Dict:
    rules = [_said(m.DeclaredNormalizationRule, dataclasses.asdict(rule)) for rule in plan.rules]
    return {"normalization_rules": rules} if rules else {}


def _people(found: Found) -> list[o.User | o.Contact]:
    return [*found.all(o.User), *found.all(o.Contact)]


def _forests(found: Found, directory: Mapping[str, str], first: str) -> list[_Dict]:
    out = []
    for name in found.objects:
        addresses = {u.sip_address.rpartition("@")[2].lower() for u in found.all(o.User, name) if u.sip_address}
        contacts = {c.sip_address.rpartition("@")[2].lower() for c in found.all(o.Contact, name)}
        forest: _Dict = {"name": name, "domains": [name, *sorted((addresses | contacts) - {name, ""})]}
        if trusts := found.trusts.get(name):
            forest["trusts"] = list(trusts)
        if directory[name] != first:
            forest["directory"] = directory[name]
        if (own := found.organizations.get(name, "")) not in ("", found.organization):
            forest["messaging_organization_name"] = own
        out.append(forest)
    return out


def _servers(found: Found) -> Iterator[_Dict]:
    for forest in found.objects:
        every = {plan.name for plan in found.all(o.UMDialPlan, forest)}
        for server in found.all(o.MessagingServer, forest):
            out: _Dict = {"fqdn": server.fqdn, "forest": forest}
            if server.kind is not ServerKind.TANDEM:
                product, _, rest = server.version.partition(" ")
                year, _, pack = rest.partition(" SP")
                out |= {"kind": server.kind, "version": year if product == "Exchange" else ""}
                out |= {"service_pack": int(pack)} if pack.isdigit() else {}
                out |= {"roles": list(server.roles)} if server.roles else {}
            if set(server.dial_plans) != every and not found.unread_of(o.MessagingServer, server.fqdn, "dial_plans"):
                out["dial_plans"] = sorted(server.dial_plans)
            yield out | _said(
                m.DeclaredMessagingServer, {k: getattr(server, k) for k in ("sip_tls_port", "sip_tcp_port")}
            )


def _pools(found: Found) -> Iterator[_Dict]:
    for forest in found.objects:
        for pool in found.all(o.VoicePool, forest):
            values = dataclasses.asdict(pool) | {"forest": forest}
            if pool.pool_type == PoolType.STANDARD_EDITION:
                values["servers"] = ()
            yield _said(m.DeclaredVoicePool, values, but=_unread(found, o.VoicePool, pool.fqdn))


def _dial_plans(found: Found) -> Iterator[_Dict]:
    for forest in found.objects:
        for plan in found.all(o.UMDialPlan, forest):
            if plan.phone_context.lower() != f"{plan.name}.{forest}".lower():
                found.notes.append(
                    f"UM dial plan {plan.name}: phone context {plan.phone_context} is not {plan.name}.{forest}"
                )
            values = dataclasses.asdict(plan) | {"forest": forest, "country_code": plan.country_code or "1"}
            yield _said(m.DeclaredUMDialPlan, values, but=_unread(found, o.UMDialPlan, plan.name))


def _policies(found: Found) -> Iterator[_Dict]:
    for policy in found.all(o.UMMailboxPolicy):
        values = dataclasses.asdict(policy) | {"um_dial_plan": policy.dial_plan}
        said = _said(m.DeclaredUMMailboxPolicy, values)
        if policy.name != default_policy(policy.dial_plan) or set(said) != {"name", "um_dial_plan"}:
            yield said


def _plain_gateways(found: Found) -> Iterator[_Dict]:
    """Those that are no pool's: with a hunt group, by which a dial plan is theirs."""
    pools = {pool.fqdn for pool in found.all(o.VoicePool)}
    for gateway in found.all(o.UMIPGateway):
        groups = [g for g in found.all(o.UMHuntGroup) if g.gateway == gateway.name]
        if gateway.transport is Transport.TLS:
            if gateway.address.lower() not in pools:
                found.notes.append(f"UM IP gateway {gateway.name}: {gateway.address} is no voice pool: left out")
            continue
        if len(groups) != 1:
            found.notes.append(f"UM IP gateway {gateway.name}: {len(groups)} hunt groups, one is expected: left out")
            continue
        if unread := found.unread_of(o.UMHuntGroup, f"{groups[0].name} of {gateway.name}", "pilot_identifier"):
            found.notes.append(f"UM IP gateway {gateway.name}: left out, {unread[0].text}")
            continue
        values = dataclasses.asdict(gateway)
        values |= {"um_dial_plan": groups[0].dial_plan, "pilot_identifier": groups[0].pilot_identifier}
        yield _said(m.DeclaredUMIPGateway, values, but=_unread(found, o.UMIPGateway, gateway.name))


def _attendants(found: Found) -> Iterator[_Dict]:
    for attendant in found.all(o.UMAutoAttendant):
        values = dataclasses.asdict(attendant) | {"um_dial_plan": attendant.dial_plan}
        yield _said(m.DeclaredUMAutoAttendant, values, but=_unread(found, o.UMAutoAttendant, attendant.name))


def _contacts(found: Found) -> Iterator[_Dict]:
    plans = {plan.phone_context: plan.name for plan in found.all(o.UMDialPlan)}
    for contact in found.all(o.Contact):
        if found.unread_of(o.Contact, contact.display_name, "target"):
            continue
        context, attendant = read_target(contact)
        if context not in plans:
            found.notes.append(
                f"contact {contact.display_name}: points to {contact.target!r}, which is not read: left out"
            )
            continue
        values = {
            "display_name": contact.display_name,
            "sip_address": contact.sip_address.removeprefix("sip:"),
            "um_dial_plan": plans[context],
            "number": contact.line_uri.removeprefix("tel:"),
            "pool": contact.home_pool,
            "ou": contact.container,
            "auto_attendant": attendant,
        }
        yield _said(m.DeclaredContact, values)


def _is_declared(user: o.User) -> bool:
    """Whether an account is declared as a user: who only administers has no address and nothing of UM."""
    return bool(user.managed_by or user.um_enabled or user.sip_enabled)


def _users(found: Found) -> Iterator[_Dict]:
    plans = {plan.name: plan for plan in found.all(o.UMDialPlan)}
    for user in filter(_is_declared, found.all(o.User)):
        plan = plans.get(user.um_dial_plan)
        eum = user.eum_addresses
        numbers = [e.address.removeprefix("+") for e in eum if plan and e.phone_context == plan.phone_context]
        mine = [number for number in numbers if number.isdigit()]
        values = {
            "account": user.account,
            "display_name": user.display_name,
            "forest": forest_of(DN.parse(user.container)),
            "ou": user.container,
            "mail": user.mail,
            "sip_address": user.sip_address.removeprefix("sip:"),
            "pool": user.home_pool if user.sip_enabled else "",
            "line_uri": user.line_uri if user.enterprise_voice else "",
            "extension": mine[0] if mine and user.um_enabled else "",
            "um_mailbox_policy": user.um_mailbox_policy if user.um_enabled else "",
            "voice_dial_plan": user.voice_dial_plan,
            "voice_policy": user.voice_policy,
        }
        yield _said(m.DeclaredUser, values)


def _administrators(found: Found) -> Iterator[_Dict]:
    first = next(iter(found.objects), "")
    for forest, groups in found.groups.items():
        held: dict[str, list[str]] = {}
        for group, members in groups.items():
            for account in members:
                held.setdefault(account, []).append(group)
        people = {user.account.lower() for user in found.all(o.User, forest) if _is_declared(user)}
        for account, names in held.items():
            if account.lower() in people:  # an account is declared once: as a user
                found.notes.append(f"user {account}: also a member of {', '.join(names)}, which the file does not say")
            elif account.lower() != INITIAL_ADMINISTRATOR:
                more = {} if forest == first else {"forest": forest}
                yield {"account": account, "display_name": account, "groups": names, **more}
