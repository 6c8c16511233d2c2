"""The voice server: registers phones, routes their calls, diverts to UM, passes message waiting on."""

import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.core.clock import Clock
from tandem.core.log import event
from tandem.directory.index import Connect
from tandem.pki.files import write_whole
from tandem.pki.identity import Identity
from tandem.service.service import Service
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Flow
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.machines.uas import Abilities
from tandem.sip.message.message import Request
from tandem.voice.calls import CallSetup
from tandem.voice.config import VoiceConfig, VoiceDirectory, sip_of
from tandem.voice.mwi import MwiRelay
from tandem.voice.proxy.active import ActiveCalls
from tandem.voice.proxy.encryption import EncryptionGuard
from tandem.voice.proxy.indialog import DialogRelay
from tandem.voice.proxy.proxy import forwarded
from tandem.voice.proxy.routes import Routes
from tandem.voice.proxy.sides import KEY_BYTES
from tandem.voice.registrar.authentication import PhoneAuthentication, is_anonymous, is_own
from tandem.voice.registrar.location import Location
from tandem.voice.registrar.registrar import register
from tandem.voice.summaries import SavedSummaries

_METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "INFO", "UPDATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceFiles:
    """What a voice server keeps: the state of message waiting, and the key that seals the tokens of calls.

    ``mwi_before`` is the state as release 0.1 kept it.
    """

    mwi: Path
    mwi_before: Path
    route_key: Path

    @classmethod
    def below(cls, folder: Path, fqdn: str) -> "VoiceFiles":
        """The files of a server in its folder."""
        return cls(
            mwi=folder / f"{fqdn}.mwi.db",
            mwi_before=folder / f"{fqdn}.lamps.json",
            route_key=folder / f"{fqdn}.route.key",
        )


class VoiceServer(Service[VoiceConfig]):
    """See :class:`Service`. ``files`` is what is kept across restarts."""

    def __init__(
        self,
        *,
        fqdn: str,
        endpoint: Endpoint,
        connect: Connect,
        forest: str,
        clock: Clock,
        files: VoiceFiles,
        identity: Identity | None = None,
    ) -> None:
        directory = VoiceDirectory(connect, fqdn, forest)
        self._other_pools: tuple[str, ...] = ()
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
        # Until the key of the home is read, one that nobody has.
        self._routes = Routes(endpoint, self._location, secrets.token_bytes(KEY_BYTES))
        self._route_key = files.route_key
        self._active = ActiveCalls()
        guard = EncryptionGuard(endpoint, self._routes)
        self._dialogs = DialogRelay(
            endpoint=endpoint,
            routes=self._routes,
            config=lambda: self.config,
            authentication=self._authentication,
            active=self._active,
            guard=guard,
        )
        self._setup = CallSetup(
            endpoint=endpoint,
            routes=self._routes,
            location=self._location,
            config=lambda: self.config,
            clock=clock,
            active=self._active,
            guard=guard,
        )
        self._summaries = SavedSummaries(files.mwi, self.threads.disk, before=files.mwi_before)
        self._mwi = MwiRelay(
            endpoint,
            self._location,
            lambda: self.config,
            lambda flow: f"<sip:{self._routes.reached_by(flow.transport)}>",
            self._summaries,
            lambda work: self._spawn(work, "notify"),
        )
        endpoint.on_request = self._received
        endpoint.on_ack = self._acknowledged

    def took(self, config: VoiceConfig) -> None:
        """See :meth:`Service.took`."""
        um = "readable" if config.um_readable else "not readable (phase 7)"
        event(self.log, logging.INFO, "voice.config", users=len(config.users), um=um)
        if (others := config.other_pools) and others != self._other_pools:
            why = "calls between pools are refused in this release"
            event(self.log, logging.WARNING, "voice.several_pools", others=", ".join(others), why=why)
        self._other_pools = others

    async def prepare(self) -> None:
        """See :meth:`Service.prepare`."""
        try:
            self._routes.use_key(await self.threads.disk.run(kept_key, self._route_key))
        except OSError as error:
            why = "calls will not outlive a restart of this server"
            event(self.log, logging.ERROR, "voice.route_key", file=self._route_key, error=error, why=why)
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
        if fields.to_tag(request) and request.method != "SUBSCRIBE":
            return self._dialogs.requested(transaction, work)
        work.headers.remove("Route")  # ours, or a way that we do not go: calls go where the directory says
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
        if (pool := self.config.other_pool(user)) is not None:
            event(self.log, logging.WARNING, "voice.wrong_pool", user=sip_of(user), method=method, home=pool)
            transaction.respond_with(
                403, headers=(fields.warning(f"{sip_of(user)} is at home in pool {pool}; use that"),)
            )
            return None
        caller = fields.from_(transaction.request).uri
        anonymous = method == "INVITE" and is_anonymous(caller)
        if not anonymous and not is_own(user, caller.user, caller.host):
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

    def _acknowledged(self, request: Request, flow: Flow) -> None:
        if (passed := self._dialogs.acknowledged(request, flow)) is not None:
            self._spawn(self.endpoint.send_ack(*passed), "ack")

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self.tasks.spawn(work, name=f"voice.{what}")


def kept_key(file: Path) -> bytes:
    """The key in a file, which is made if it is not there or is no key. Reads and writes the disk."""
    if file.exists() and len(key := file.read_bytes()) == KEY_BYTES:
        return key
    key = secrets.token_bytes(KEY_BYTES)
    write_whole(file, key, secret=True)
    return key
