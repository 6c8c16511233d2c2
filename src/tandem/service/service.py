"""The life of a server: start, serve, drain, idle, stop; what UM, voice and mediation servers share.

A server is a :class:`Service` with a configuration from the directory. It sets the endpoint's handlers itself, spawns what is
no handler in ``tasks``, and has work supervised that lasts as long as it does; all end with :meth:`Service.stop`.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from tandem.core.clock import Clock
from tandem.core.log import event, get_logger
from tandem.core.tasks import Supervisor, Tasks, Work
from tandem.pki.identity import Identity
from tandem.service import certificates
from tandem.service.admission import Admission
from tandem.service.following import Following, ServerDirectory
from tandem.service.opencalls import OpenCalls
from tandem.service.threads import Threads
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.machines.uas import Abilities

CLOSE_S = 5.0
"""Seconds that a server that stops waits for a directory that hangs; then its sessions end with the process."""
Config = TypeVar("Config")


class Service(Generic[Config]):
    """Made with an endpoint that does not listen yet; :meth:`start`, then listen, then :meth:`stop`.

    ``room`` names loggers, tasks and threads. ``identity`` is the certificate that is shown, where TLS is spoken.
    """

    def __init__(
        self,
        *,
        room: str,
        endpoint: Endpoint,
        directory: ServerDirectory[Config],
        clock: Clock,
        able: Abilities,
        identity: Identity | None = None,
    ) -> None:
        self.log = get_logger(room)
        self.room = room
        self.endpoint = endpoint
        self.clock = clock
        self.identity = identity
        self.threads = Threads(room)
        self.supervisor = Supervisor(self.log)
        self.tasks = Tasks(self.log)
        self.calls = OpenCalls()
        self.admission = Admission(able)
        self.following = Following(
            directory, clock=clock, pool=self.threads.directory, log=self.log, room=room, took=self.took
        )

    @property
    def config(self) -> Config:
        """What is in force of the directory."""
        return self.following.config

    def took(self, config: Config) -> None:
        """A server's own: a new configuration is in force."""

    async def prepare(self) -> None:
        """A server's own: what has to run before calls are taken. The directory was read."""

    async def release(self) -> None:
        """A server's own: give back what it has; calls and background work have ended, the endpoint is still open."""

    def close_sessions(self) -> None:
        """Give back the sessions with the directory; runs in a thread, when nothing uses them any more."""
        self.following.close()

    def checks(self) -> dict[str, Callable[[], str]]:
        """What has to be well for calls to be taken: each says what is wrong, or nothing. They may block for a moment."""
        checks = {
            "listening": self.endpoint.connections.deaf,
            "directory": self.following.freshness.problem,
            "tasks": self.supervisor.problem,
        }
        if (identity := self.identity) is not None:
            checks["certificate"] = lambda: identity.problem(self.clock.at())
        return checks

    def notices(self) -> dict[str, Callable[[], str]]:
        """What an operator is to know and that keeps no call away, as :meth:`checks` has it: one bad mailbox, for example."""
        return {}

    async def start(self) -> None:
        """Read the directory and follow it from now on, look after the certificate. Raises what the directory raises."""
        await self.following.look()
        await self.prepare()
        self.supervise("directory", self.following.run)
        if (identity := self.identity) is not None:
            disk, connections = self.threads.disk, self.endpoint.connections
            self.supervise("certificate", lambda: certificates.follow(identity, self.clock, disk, connections))

    def supervise(self, name: str, work: Work) -> None:
        """Run background work until :meth:`stop`; see :meth:`Supervisor.supervise`."""
        self.supervisor.supervise(f"{self.room}.{name}", work)

    async def reload(self) -> None:
        """Use new certificate files now; peers that have been revoked are disconnected."""
        if self.identity is not None:
            await self.threads.disk.run(certificates.reload, self.identity)
            await certificates.end_revoked(self.identity, self.threads.disk, self.endpoint.connections)

    def drain(self) -> None:
        """Take no more calls; those that were answered go on."""
        self.admission.draining = True

    async def idle(self) -> None:
        """Wait until there is no call."""
        await self.calls.idle()

    async def stop(self) -> None:
        """Take no more calls, end those that there are and the background work, close every connection."""
        self.drain()
        await self.endpoint.handlers.cancel()
        await self.supervisor.stop()
        await self.tasks.stop()
        await self.release()
        await self.endpoint.close()
        # The work that asked the directory is cancelled, but its thread may still use the session.
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.threads.directory.run_last(self.close_sessions)
        except TimeoutError:
            event(self.log, logging.WARNING, f"{self.room}.directory_not_closed", waited_s=CLOSE_S)
        self.threads.close()
