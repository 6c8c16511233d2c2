"""Servers of two makers in one organization: which combinations are supported, untried or refused, and why.

docs/protocols/mixed.md tells what each side sends and expects, with its sources.
"""

from collections.abc import Iterator
from enum import Enum

from tandem.org import model as m
from tandem.org.errors import Severity
from tandem.org.vocabulary import PoolKind, ServerKind, VoIPSecurity, default_policy

Check = tuple[object, Severity, str, str]
PAGE = "docs/protocols/mixed.md"


class Compatibility(Enum):
    """How far a combination of makers is known to work."""

    SUPPORTED = "supported"
    UNTRIED = "untried"
    """Built from public documentation; never run with a Microsoft server."""
    REFUSED = "refused"


_COMPATIBILITY: dict[tuple[ServerKind, PoolKind, bool], tuple[Compatibility, str]] = {
    (ServerKind.TANDEM, PoolKind.LYNC, False): (
        Compatibility.REFUSED,
        "a Lync pool finds UM dial plans and servers in Active Directory only, and the directory is the embedded one",
    ),
    (ServerKind.TANDEM, PoolKind.LYNC, True): (
        Compatibility.UNTRIED,
        "the attributes by which a Lync pool finds UM servers are not published",
    ),
    (ServerKind.EXCHANGE, PoolKind.TANDEM, False): (
        Compatibility.UNTRIED,
        "a Tandem pool calls Exchange UM as an IP PBX does, and was never run with one",
    ),
    (ServerKind.EXCHANGE, PoolKind.TANDEM, True): (
        Compatibility.REFUSED,
        "what a Tandem pool has to know of Exchange UM would be written into Exchange's own containers",
    ),
}
"""By the UM servers of a dial plan, the pool whose calls reach them, and whether the directory is Active Directory."""


def compatibility(server: ServerKind, pool: PoolKind, *, ldap: bool) -> tuple[Compatibility, str]:
    """How far a pair is known to work, with the reason. ``ldap``: the directory is Active Directory."""
    return _COMPATIBILITY.get((server, pool, ldap), (Compatibility.SUPPORTED, "both are of one maker"))


def check(org: m.Organization) -> Iterator[Check]:
    """Every finding about servers of two makers."""
    yield from _one_forest(org)
    yield from _pools(org)
    for pool in org.voice_pools:
        for kind in sorted(_um_of(org, pool)):
            said, why = compatibility(kind, pool.kind, ldap=org.uses_ldap)
            if said is Compatibility.SUPPORTED:
                continue
            found = f"UM servers of kind {kind} behind a pool of kind {pool.kind} ({said.value}): {why}"
            expected = f"UM of kind {_PARTNER[pool.kind]} for its users; see {PAGE}"
            yield pool, Severity.ERROR if said is Compatibility.REFUSED else Severity.WARNING, found, expected


_PARTNER = {PoolKind.TANDEM: ServerKind.TANDEM, PoolKind.LYNC: ServerKind.EXCHANGE}


def _um_of(org: m.Organization, pool: m.DeclaredVoicePool) -> set[ServerKind]:
    """Whose UM answers for a pool, by its users and contacts; while no user is declared for UM, by every dial plan.

    Where servers of both makers answer for a dial plan, it is told of elsewhere.
    """
    secured = {plan.name: plan for plan in org.um_dial_plans if plan.voip_security is not VoIPSecurity.UNSECURED}
    of_policy = {default_policy(name): name for name in secured}
    of_policy |= {policy.name: policy.um_dial_plan for policy in org.um_mailbox_policies}
    users = [user for user in org.users if user.um_mailbox_policy]
    named = {of_policy.get(user.um_mailbox_policy) for user in users if user.pool == pool.fqdn}
    named |= {contact.um_dial_plan for contact in org.contacts if contact.pool == pool.fqdn}
    own = _PARTNER[pool.kind]
    used = (plan for name, plan in secured.items() if name in named or not users)
    served = [{server.kind for server in org.servers_of(plan)} for plan in used]
    kinds = {kind for found in served for kind in ({own} if own in found else found)}
    return {own} if not named and own in kinds else kinds


def _one_forest(org: m.Organization) -> Iterator[Check]:
    """A dial plan, its servers and its users' mailboxes are one maker's, and a forest's UM objects too."""
    for forest in org.messaging_forests:
        tandem, exchange = (org.servers_in(forest, kind) for kind in (ServerKind.TANDEM, ServerKind.EXCHANGE))
        if tandem and exchange:
            found = f"UM servers of kind tandem and exchange in {forest} (refused): a dial plan would have mailboxes of both"
            yield tandem[0], Severity.ERROR, found, f"one kind in each messaging forest; see {PAGE}"


def _pools(org: m.Organization) -> Iterator[Check]:
    tandem, lync = org.pools_of(PoolKind.TANDEM), org.pools_of(PoolKind.LYNC)
    if not (tandem and lync):
        return
    if org.uses_ldap:
        found = f"a Tandem pool beside {lync[0].fqdn} of kind lync (refused): its users would stand in Lync's Active Directory"
        yield tandem[0], Severity.ERROR, found, f"pools of one kind, or the embedded directory; see {PAGE}"
    else:
        found = f"a Tandem pool beside {lync[0].fqdn} of kind lync (untried): users of the two cannot call each other"
        yield tandem[0], Severity.WARNING, found, f"pools of one kind for users who call each other; see {PAGE}"
