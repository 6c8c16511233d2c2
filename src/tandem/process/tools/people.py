"""What administrators do for one user: end a lock-out, have a new PIN made, give another SIP secret.

The voice team looks after SIP, the messaging team after PINs; running servers see each change in the directory, within a second
in the embedded one. No secret is shown to who changes it: a PIN is mailed by a UM server, a SIP secret is read by a voice
server's account.
"""

import dataclasses
from collections.abc import Iterator
from functools import partial

from tandem.directory import objects as o
from tandem.org.vocabulary import PinState, PoolKind, ServerKind
from tandem.process.errors import ProcessError
from tandem.process.holders import require
from tandem.process.roles import VOICE_USERS, MessagingRoles
from tandem.process.task import Change, Context, Step
from tandem.process.tasks.preconditions import pools_here


def find_user(context: Context, name: str) -> o.User:
    """A user by account, mail address or SIP address. Raises :class:`ProcessError` if there is none, or several."""
    wanted = name.lower().removeprefix("sip:")
    users = [user for forest in context.organization.forests for user in context.at(forest.name).repository.all(o.User)]
    # Forests of one directory show each other's users: each counts once.
    named = (u for u in users if wanted in (u.account.lower(), u.mail.lower(), u.bare_sip_address.lower()))
    found = list(dict.fromkeys(named))
    if len(found) != 1:
        raise ProcessError(
            f"{len(found)} users that you can read are called {name!r}; expected one account, mail or SIP address"
        )
    return found[0]


def unlock_steps(context: Context, user: o.User) -> Iterator[Step]:
    """Voice servers forget the wrong SIP secrets that they had counted against the user."""
    at = _voice(context, user, "user unlock")
    change = Change(action="~", kind="user", name=user.account, details=("lock-outs end",))
    after = dataclasses.replace(user, sip_unlocks=user.sip_unlocks + 1)
    yield change, partial(at.repository.update, user, after)


def sip_secret_steps(context: Context, user: o.User) -> Iterator[Step]:
    """Another SIP secret: the user's phones are to be set up again, and lock-outs end."""
    at = _voice(context, user, "user reset-sip-secret")
    change = Change(action="~", kind="SIP secret", name=user.account, details=("(sensitive)",))
    yield change, partial(at.repository.set_sip_secret, user, context.ids.token(16))


def pin_steps(context: Context, user: o.User) -> Iterator[Step]:
    """A UM server makes another PIN and mails it to the user."""
    if not user.um_enabled:
        raise ProcessError(f"{user.account} is not enabled for UM and has no PIN (phase 11 enables users)")
    plan = user.um_dial_plan
    forests = [
        forest
        for forest in context.organization.messaging_forests
        if any(each.name == plan for each in context.at(forest).repository.all(o.UMDialPlan))
    ]
    forest = forests[0] if forests else context.organization.messaging_forests[0]
    servers = context.organization.servers_in(forest, ServerKind.TANDEM)
    if not servers:
        raise ProcessError(f"{user.account} is in dial plan {plan} of Exchange servers: use Set-UMMailboxPIN there")
    require(context, MessagingRoles.of(servers).um_users(), forest=forest, what="user reset-pin")
    change = Change(action="~", kind="PIN", name=user.account, details=("to be made and mailed by a UM server",))
    after = dataclasses.replace(user, pin_state=PinState.PENDING)
    yield change, partial(_at(context, user).repository.update, user, after)


def _voice(context: Context, user: o.User, what: str) -> Context:
    if not user.sip_enabled:
        raise ProcessError(f"{user.account} has no SIP address and no SIP secret (phase 0 gives them)")
    if user.home_pool in pools_here(context.organization, PoolKind.LYNC):
        raise ProcessError(
            f"{user.account} is at home in the Lync pool {user.home_pool}, whose users have no SIP secret"
        )
    require(context, VOICE_USERS, forest=context.organization.voice_forest, what=what)
    return _at(context, user)


def _at(context: Context, user: o.User) -> Context:
    """The forest whose entry the user is."""
    holders = (context.at(forest.name) for forest in context.organization.forests)
    return next(at for at in holders if at.repository.get(o.User, user.account) is not None)
