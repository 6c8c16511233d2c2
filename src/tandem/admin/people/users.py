"""One user: what the directory knows, an end of lock-outs, another PIN, another SIP secret."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tandem.directory import objects as o
from tandem.process.apply import carry_out
from tandem.process.task import Context, Step
from tandem.process.tools import people


@dataclass(frozen=True, slots=True, kw_only=True)
class UserShown:
    """What the directory knows of a user. ``pin``: ``set``, or how far a UM server is with making it."""

    account: str
    display_name: str
    mail: str
    sip_address: str
    line_uri: str
    pool: str
    extensions: tuple[str, ...]
    dial_plan: str
    mailbox_policy: str
    pin: str
    unlocked: int

    def to_json(self) -> dict[str, Any]:
        """What ``tandem user show --json`` prints."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"extensions": list(self.extensions)}


def show(context: Context, name: str) -> UserShown:
    """A user by account, mail or SIP address. Raises :class:`ProcessError` if there is none, or several."""
    return _shown(people.find_user(context, name))


def unlock(context: Context, name: str) -> UserShown:
    """End the lock-outs of a user at running voice servers. Raises :class:`NotPermitted`, :class:`ProcessError`."""
    return _carried_out(context, name, "user unlock", people.unlock_steps)


def reset_pin(context: Context, name: str) -> UserShown:
    """Have another PIN made, and mailed to the user. Raises :class:`NotPermitted`, :class:`ProcessError`."""
    return _carried_out(context, name, "user reset-pin", people.pin_steps)


def reset_sip_secret(context: Context, name: str) -> UserShown:
    """Give a user another SIP secret; phones that have the old one are refused from then on.

    Raises :class:`NotPermitted`, :class:`ProcessError`.
    """
    return _carried_out(context, name, "user reset-sip-secret", people.sip_secret_steps)


def _carried_out(
    context: Context, name: str, what: str, steps: Callable[[Context, o.User], Iterator[Step]]
) -> UserShown:
    user = people.find_user(context, name)
    carry_out(context, what, steps(context, user))
    return show(context, user.account)


def _shown(user: o.User) -> UserShown:
    return UserShown(
        account=user.account,
        display_name=user.display_name,
        mail=user.mail,
        sip_address=user.bare_sip_address,
        line_uri=user.line_uri,
        pool=user.home_pool,
        extensions=tuple(eum.address for eum in user.eum_addresses if "@" not in eum.address),
        dial_plan=user.um_dial_plan,
        mailbox_policy=user.um_mailbox_policy,
        pin=user.pin_state.value,
        unlocked=user.sip_unlocks,
    )
