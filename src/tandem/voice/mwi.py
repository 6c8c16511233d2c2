"""Message waiting for phones: what UM tells of a user is remembered and passed on (RFC 3842, RFC 6665).

Only the UM servers of the user's own dial plan are believed, by the name in their certificate. Phones that subscribed get
their NOTIFY in that dialog; registered phones that did not get one outside of any.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from tandem.core.log import event, get_logger
from tandem.directory import objects as o
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import DialogError, MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.mwi import CONTENT_TYPE, EVENT_PACKAGE, parse_summary, unsolicited_notify
from tandem.sip.headers.uri import parse_uri
from tandem.sip.machines.dialog import Dialog, dialog_key
from tandem.sip.machines.subscription import Event, Notifier, SubscriptionState, event_of
from tandem.sip.message.message import Request
from tandem.voice import counts
from tandem.voice.config import VoiceConfig, sip_of
from tandem.voice.registrar.authentication import is_own
from tandem.voice.registrar.location import Binding, Location
from tandem.voice.subscriptions import Subscription, Subscriptions
from tandem.voice.summaries import SavedSummaries

_log = get_logger("voice")
EVENT = Event(package=EVENT_PACKAGE)
DEFAULT_S, LONGEST_S = 3600, 3600


class MwiRelay:
    """Message waiting of everyone at this server.

    ``summaries`` has the last state of each user. ``spawn`` starts the NOTIFYs, which end with the server.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        location: Location,
        config: Callable[[], VoiceConfig],
        contact: Callable[[Flow], str],
        summaries: SavedSummaries,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._endpoint = endpoint
        self._location = location
        self._config = config
        self._contact = contact
        self._summaries = summaries
        self._subscriptions = Subscriptions()
        self._spawn = spawn

    def notified(self, transaction: ServerTransaction) -> None:
        """A NOTIFY came from a server."""
        request = transaction.request
        uri = parse_uri(request.uri)
        config = self._config()
        user = config.users.get(f"{uri.user or ''}@{uri.host}".lower())
        plan = config.um_dial_plan_of(user) if user else None
        servers = {s.fqdn.lower() for s in config.um_servers.get(plan.name, ())} if plan else set()
        if user is None or not servers & transaction.flow.peer_names:
            event(_log, logging.WARNING, "voice.notify_refused", peer=transaction.flow.remote[0], to=request.uri)
            transaction.respond_with(404 if servers or user is None else 403)
            return
        if (elsewhere := config.other_pool(user)) is not None:  # UM asks the next gateway then
            transaction.respond_with(404, headers=(fields.warning(f"the user is at home in pool {elsewhere}"),))
            return
        if event_of(request) != EVENT:
            transaction.respond_with(489)
            return
        try:
            summary = parse_summary(request.body)
        except MalformedMessage:
            transaction.respond_with(400)
            return
        transaction.respond_with(200)
        self._summaries.put(sip_of(user), summary)
        counts.mwi_received.value += 1
        event(_log, logging.INFO, "voice.mwi", user=sip_of(user), new=summary.new, old=summary.old)
        self._tell(sip_of(user))

    def subscribed(self, transaction: ServerTransaction, user: o.User) -> None:
        """An authenticated SUBSCRIBE came from a phone: make, refresh, or end a subscription."""
        request = transaction.request
        to = fields.to(request)
        event_wanted = event_of(request)
        if event_wanted.package != EVENT.package:
            transaction.respond_with(489, headers=(("Allow-Events", EVENT.package),))
            return
        if not is_own(user, to.uri.user, to.uri.host):
            transaction.respond_with(403)
            return
        now = self._endpoint.clock.now()
        life = min(fields.number(request.headers.get("Expires"), default=DEFAULT_S), LONGEST_S)
        try:
            held = self._held(transaction, event_wanted, life, now, sip_of(user))
        except DialogError as error:
            transaction.respond_with(error.status)
            return
        self._subscriptions.moved(held, transaction.flow)
        transaction.respond_with(200, headers=(("Expires", str(life)), ("Contact", self._contact(transaction.flow))))
        self._spawn(self._notify(held))

    def _held(self, transaction: ServerTransaction, wanted: Event, life: int, now: float, user: str) -> Subscription:
        """The subscription that a SUBSCRIBE makes or refreshes. Raises :class:`DialogError` for one that is not known."""
        request, key = transaction.request, dialog_key(transaction.request)
        if not key[1]:
            dialog = Dialog.from_uas(request, local_tag=transaction.to_tag)
            notifier = Notifier(wanted, expires_s=life, now=now)
            held = Subscription(user=user, dialog=dialog, flow=transaction.flow, notifier=notifier)
            self._subscriptions.keep(held, now)
            return held
        known = self._subscriptions.get(key)
        if known is None or known.user != user or known.notifier.timeout(now):
            raise DialogError("there is no such subscription", status=481)
        known.dialog.check(request)
        known.dialog.refresh_target(request)
        known.notifier.refreshed(life, now)
        return known

    def _tell(self, user: str) -> None:
        now = self._endpoint.clock.now()
        held = self._subscriptions.of(user, now)
        told = {id(s.flow) for s in held}
        for subscription in held:
            self._spawn(self._notify(subscription))
        for binding in self._location.of(user, now):
            if id(binding.flow) not in told:
                self._spawn(self._notify_unsolicited(user, binding))

    async def _notify(self, subscription: Subscription) -> None:
        notifier = subscription.notifier
        said = notifier.tell(self._endpoint.clock.now())
        request = subscription.dialog.request("NOTIFY")
        request.headers.add("Event", notifier.event.value())
        request.headers.add("Subscription-State", said.value())
        request.headers.add("Contact", self._contact(subscription.flow))
        request.headers.add("Content-Type", CONTENT_TYPE)
        user = subscription.user
        request.body = self._summaries.of(user).body(f"sip:{user}")
        notifier.answered(await self._send(request, user, subscription.flow))
        if notifier.state is SubscriptionState.TERMINATED:
            self._subscriptions.drop(subscription)

    async def _notify_unsolicited(self, user: str, binding: Binding) -> None:
        request = unsolicited_notify(
            self._summaries.of(user),
            uri=binding.uri,
            account=f"sip:{user}",
            contact=self._contact(binding.flow),
            from_tag=self._endpoint.ids.token(8),
            call_id=self._endpoint.ids.token(12),
        )
        for proxy in binding.path:
            request.headers.add("Route", proxy)
        await self._send(request, user, binding.flow)

    async def _send(self, request: Request, user: str, flow: Flow) -> int:
        response = await (await self._endpoint.send(request, flow)).final()
        if response.status >= 300:
            event(_log, logging.DEBUG, "voice.notify_not_taken", user=user, status=response.status)
        return response.status
