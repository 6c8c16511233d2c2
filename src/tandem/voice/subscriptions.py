"""The subscriptions of phones to message waiting: by dialog, and by user.

One that has expired goes as others come: with each, a few users are looked at, those whose turn was longest ago. One whose
connection is gone goes at once.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from tandem.sip.aio.flow import Flow
from tandem.sip.machines.dialog import Dialog
from tandem.sip.machines.subscription import Notifier, SubscriptionState

MAX_SUBSCRIPTIONS = 20
"""Of one user; the oldest gives way."""
_SWEPT = 3
"""Users looked at with each subscription."""
Key = tuple[str, str, str]


@dataclass(slots=True, kw_only=True, eq=False)
class Subscription:
    """One phone's subscription."""

    user: str
    dialog: Dialog
    flow: Flow
    notifier: Notifier
    lost: Callable[[], None] = field(default=lambda: None)

    def lasts(self, now: float) -> bool:
        """Whether there is still a phone to notify; a subscription that has expired ends here."""
        self.notifier.timeout(now)
        return self.notifier.state is not SubscriptionState.TERMINATED and not self.flow.closed


class Subscriptions:
    """No method takes longer the more users there are."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Subscription] = {}
        self._of_user: OrderedDict[str, dict[Key, Subscription]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: Key) -> Subscription | None:
        """The subscription of a dialog."""
        return self._by_key.get(key)

    def of(self, user: str, now: float) -> list[Subscription]:
        """Those of a user that last."""
        return [each for each in self._of_user.get(user, {}).values() if each.lasts(now)]

    def keep(self, subscription: Subscription, now: float) -> None:
        """Take one in."""
        self._sweep(now)
        key, user = subscription.dialog.key, subscription.user
        held = self._of_user.setdefault(user, {})
        for ended in [each for each in held.values() if not each.lasts(now)]:
            self.drop(ended)
        while len(held) >= MAX_SUBSCRIPTIONS:
            self.drop(next(iter(held.values())))
        self._by_key[key] = self._of_user.setdefault(user, held)[key] = subscription
        self._watch(subscription)

    def moved(self, subscription: Subscription, flow: Flow) -> None:
        """A subscription was refreshed over this connection."""
        if flow is not subscription.flow:
            subscription.flow.on_close.discard(subscription.lost)
            subscription.flow = flow
            self._watch(subscription)

    def drop(self, subscription: Subscription) -> None:
        """Take one out, if it is in."""
        key = subscription.dialog.key
        if self._by_key.get(key) is not subscription:
            return
        del self._by_key[key]
        subscription.flow.on_close.discard(subscription.lost)
        held = self._of_user[subscription.user]
        del held[key]
        if not held:
            del self._of_user[subscription.user]

    def _watch(self, subscription: Subscription) -> None:
        subscription.lost = lambda: self.drop(subscription)
        subscription.flow.on_close.append(subscription.lost)

    def _sweep(self, now: float) -> None:
        for user in list(itertools.islice(self._of_user, _SWEPT)):
            self._of_user.move_to_end(user)
            for ended in [each for each in self._of_user[user].values() if not each.lasts(now)]:
                self.drop(ended)
