"""Accounts that are renamed: a user who says what the account ``was`` is the same person under another name.

Only the account's name changes. The entry stays where it is and keeps its own name, and so everything that it holds: PIN, SIP
secret, memberships, password. Left out: renaming the entry itself.
"""

import dataclasses
from collections.abc import Callable, Container, Iterator

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.layout import forest_of
from tandem.org import model
from tandem.org.checks import mailbox_policies
from tandem.process.task import Context


def people(context: Context) -> tuple[o.User, ...]:
    """The users that there are; one who is still to be renamed has the new account already.

    So every task finds the same person, whether the rename was carried out yet or not. Where the new account is there too,
    nobody is renamed.
    """
    org, found = context.organization, context.repository.all(o.User)
    renamed = {user.was.lower(): user for user in org.users if user.was}
    if not renamed:
        return found
    accounts = {user.account.lower() for user in found}

    def known(user: o.User) -> o.User:
        wanted = renamed.get(user.account.lower())
        if wanted is None or wanted.account.lower() in accounts or user.managed_by != org.name:
            return user
        if forest_of(DN.parse(user.container)) != wanted.forest:
            return user
        return dataclasses.replace(user, account=wanted.account, cn=user.entry_name)

    return tuple(map(known, found))


def unused_name(user: model.DeclaredUser, named: Container[tuple[str, str]]) -> str:
    """How to call a newcomer's entry where a renamed account's has the name already; otherwise nothing.

    ``named`` are names and containers, in lower case, of entries that are not called as their accounts.
    """
    names = (user.account, *(f"{user.account} {number}" for number in range(2, 100)))
    name = next((each for each in names if (each.lower(), user.ou.lower()) not in named), user.account)
    return name if name != user.account else ""


def resemblance(context: Context) -> Callable[[model.DeclaredUser], tuple[str, ...]]:
    """What to say of a newcomer who has what somebody has who is gone from the file: that may be a rename."""
    org, policies = context.organization, mailbox_policies(context.organization)
    declared = {user.account.lower() for user in org.users}
    leavers = {
        trait: user.account
        for user in people(context)
        if user.managed_by == org.name and user.account.lower() not in declared
        for trait in _traits(
            user.mail,
            user.bare_sip_address,
            *(f"{eum.address.removeprefix('+')} of {user.um_dial_plan}" for eum in user.eum_addresses),
        )
    }

    def said(user: model.DeclaredUser) -> tuple[str, ...]:
        policy = policies.get(user.um_mailbox_policy)
        extension = f"{user.extension} of {policy.um_dial_plan}" if policy else ""
        for what, value in _traits(user.mail, user.sip_address, extension):
            if leaver := leavers.get((what, value)):
                return (
                    f"warning: has the {what} of {leaver}, who is gone from the file; if it is the same person, "
                    f"say 'was: {leaver}' to keep mailbox, PIN and SIP secret",
                )
        return ()

    return said


def _traits(mail: str, sip_address: str, *extensions: str) -> Iterator[tuple[str, str]]:
    named = (("mail address", mail), ("SIP address", sip_address), *(("extension", each) for each in extensions))
    return ((what, value.lower()) for what, value in named if value)
