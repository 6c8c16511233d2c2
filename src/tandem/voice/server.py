"""The voice server: registers phones, routes their calls, diverts to UM, passes message waiting on."""

import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tandem.core.clock import Clock
from tandem.core.log import event
from tandem.directory.index import Connect
from tandem.pki.identity import Identity
from tandem.service.service import Service
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.outbound import Target
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.machines.uas import Abilities
from tandem.sip.message.message import Request
from tandem.voice.calls import CallSetup
from tandem.voice.config import VoiceConfig, VoiceDirectory
from tandem.voice.mwi import MwiRelay
from tandem.voice.proxy.active import ActiveCalls
from tandem.voice.proxy.identity import strip_trust
from tandem.voice.proxy.proxy import Routes, forward_in_dialog, forwarded
from tandem.voice.registrar.authentication import PhoneAuthentication, is_own
from tandem.voice.registrar.location import Location
from tandem.voice.registrar.registrar import register
from tandem.voice.summaries import SavedSummaries

_METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "INFO", "UPDATE")


class VoiceServer(Service[VoiceConfig]):
    """See :class:`Service`. ``mwi_file`` keeps the state of message waiting across restarts; ``port`` is that for TLS."""

    def __init__(
        self,
        *,
        fqdn: str,
        endpoint: Endpoint,
        connect: Connect,
        forest: str,
        clock: Clock,
        mwi_file: Path,
        port: int = 5061,
        identity: Identity | None = None,
    ) -> None:
        directory = VoiceDirectory(connect, fqdn, forest)
        super().__init__(
            room="voice",
            endpoint=endpoint,
            directory=directory,
            clock=clock,
            able=Abilities(methods=_METHODS),
            identity=identity,
        )
        self._location = Location()
        self._authentication = PhoneAuthentication(directory.index, clock, forest)
        self._routes = Routes(endpoint, endpoint.name, lambda: port)
        self._active = ActiveCalls()
        self._setup = CallSetup(
            endpoint=endpoint,
            routes=self._routes,
            location=self._location,
            config=lambda: self.config,
            clock=clock,
            active=self._active,
        )
        self._summaries = SavedSummaries(mwi_file, self.threads.disk)
        self._mwi = MwiRelay(
            endpoint,
            self._location,
            lambda: self.config,
            lambda: f"<sip:{endpoint.name}:{port};transport=tls>",
            self._summaries,
            lambda work: self._spawn(work, "notify"),
        )
        endpoint.on_request = self._received
        endpoint.on_ack = self._acknowledged

    def took(self, config: VoiceConfig) -> None:
        """See :meth:`Service.took`."""
        um = "readable" if config.um_readable else "not readable (phase 7)"
        event(self.log, logging.INFO, "voice.config", users=len(config.users), um=um)

    async def prepare(self) -> None:
        """See :meth:`Service.prepare`."""
        await self._summaries.load()
        self.supervise("mwi", self._summaries.run)

    async def release(self) -> None:
        """See :meth:`Service.release`."""
        await self._summaries.save()

    async def idle(self) -> None:
        """Wait until no call is active."""
        await self._active.none_left()

    def checks(self) -> dict[str, Callable[[], str]]:
        """See :meth:`Service.checks`."""
        return {
            **super().checks(),
            "pool": lambda: "" if self.config.pool is not None else "the directory has no pool for this server",
        }

    def _received(self, transaction: ServerTransaction) -> Handling:
        request = transaction.request
        if self.admission.refuse_proxy_require(transaction):
            return None
        work = forwarded(request)
        target = self._routes.take(work)
        if fields.to_tag(request) and request.method != "SUBSCRIBE":
            return self._in_dialog(transaction, work, target)
        match request.method:
            case "OPTIONS":
                self.admission.answer_options(transaction)
            case "NOTIFY":
                self._mwi.notified(transaction)
            case "REGISTER" | "SUBSCRIBE" | "INVITE":
                return self._from_phone(transaction, work)
            case _:
                self.admission.refuse_method(transaction)
        return None

    def _from_phone(self, transaction: ServerTransaction, work: Request) -> Handling:
        method = transaction.request.method
        if self.config.pool is None or (self.admission.draining and method == "INVITE"):
            self.admission.refuse_busy(transaction)
            return None
        user = self._authentication.authenticate(transaction, self.config)
        if user is None:
            return None
        caller = fields.from_(transaction.request).uri
        if not is_own(user, caller.user, caller.host):
            event(self.log, logging.WARNING, "voice.foreign_identity", account=user.account, claimed=str(caller))
            transaction.respond_with(403, headers=(fields.warning("an account calls as itself only"),))
            return None
        match method:
            case "REGISTER":
                register(transaction, user, self._location, self.clock)
            case "SUBSCRIBE":
                self._mwi.subscribed(transaction, user)
            case _:
                return self._setup.run(transaction, work, user)
        return None

    def _in_dialog(self, transaction: ServerTransaction, work: Request, target: Target | None) -> Handling:
        """Send it where our token in its route says; without one it belongs to no dialog that goes through us."""
        if target is None:
            transaction.respond_with(481)
            return None
        strip_trust(work)
        if work.method == "BYE":
            self._active.ended(fields.call_id(work))
        return forward_in_dialog(self.endpoint, transaction, work, target)

    def _acknowledged(self, request: Request, flow: Flow) -> None:
        work = forwarded(request)
        if (target := self._routes.take(work)) is not None:
            self._spawn(self.endpoint.send_ack(work, target), "ack")

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self.tasks.spawn(work, name=f"voice.{what}")
