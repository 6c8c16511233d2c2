"""A server as its operator sees it: metrics, health, traces and notifications, from its start to its end.

``/healthz`` answers while the event loop turns; ``/readyz`` says with each check whether calls should be sent here;
``/metrics`` has the counters. Systemd gets the same. Nothing here delays a call: what may block runs in threads.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tandem.core.counters import gauge, histogram
from tandem.core.log import event, get_logger
from tandem.core.tasks import Supervisor
from tandem.ops.health import Check, examine
from tandem.ops.http import Answer, HttpServer
from tandem.ops.metrics import CONTENT_TYPE, Metrics
from tandem.ops.notify import ServiceManager
from tandem.ops.trace.hep import Collector
from tandem.ops.trace.ring import Ring
from tandem.ops.trace.tap import TracedFlow, TraceTap
from tandem.sip import counts as sip_counts

_log = get_logger("ops")
LAG_S = 0.5
_lag = histogram("tandem_loop_lag_seconds", "How late the event loop was, measured twice a second.").of()
_state = gauge("tandem_serving", "1 while calls are taken, 0 before and while the server drains.").of()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may choose. Without ``port`` nothing is served by HTTP; with ``trace_bytes`` 0 nothing is traced."""

    address: str = "127.0.0.1"
    port: int | None = None
    trace_bytes: int = 0
    trace_age_s: float = 86_400.0
    collector: tuple[str, int] | None = None


class State(StrEnum):
    """The state of a server."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


class Operation:
    """Of one server: :meth:`start`, then :meth:`serves`, :meth:`drains`, :meth:`stop`."""

    def __init__(self, settings: Settings, *, fqdn: str, traces: Path, service_manager: ServiceManager) -> None:
        self.state = State.STARTING
        self.bound: tuple[str, int] | None = None
        self._settings = settings
        self._service_manager = service_manager
        self._supervisor = Supervisor(_log)
        self._checks: Mapping[str, Check] = {}
        self._notices: Mapping[str, Check] = {}
        self._metrics = Metrics()
        self._collector = Collector(*settings.collector) if settings.collector else None
        self._trace = self._tap_into(traces / fqdn)
        pages = {"/metrics": self._show_metrics, "/healthz": self._show_health, "/readyz": self._show_readiness}
        self._http = HttpServer(pages, slow=frozenset({"/metrics", "/readyz"}))
        _state.value = 0

    def _tap_into(self, folder: Path) -> TraceTap | None:
        if not self._settings.trace_bytes:
            return None
        ring = Ring(folder, max_bytes=self._settings.trace_bytes, max_age_s=self._settings.trace_age_s)
        return TraceTap(ring, export=self._collector)

    async def start(self) -> None:
        """Serve pages, trace, notify. Raises :class:`tandem.ops.errors.OpsError` where the port is taken."""
        if self._settings.port is not None:
            self.bound = await self._http.listen(self._settings.address, self._settings.port)
        if self._trace is not None:
            self._trace.start()
        self._supervisor.supervise("ops.watchdog", self._service_manager.watch)
        self._supervisor.supervise("ops.lag", _measure_lag)

    def seen(self, direction: str, data: bytes, flow: TracedFlow) -> None:
        """A SIP message came (``in``) or went (``out``): for the tap of an endpoint."""
        sip_counts.message(direction, data)
        if self._trace is not None:
            self._trace(direction, data, flow)

    def serves(self, status: str, checks: Mapping[str, Check], notices: Mapping[str, Check] | None = None) -> None:
        """Calls are taken from now on; readiness depends on ``checks``, and ``notices`` are only shown.

        Called again when a reload is over.
        """
        self._checks, self._notices, self.state = checks, notices or {}, State.SERVING
        _state.value = 1
        self._service_manager.ready(status)

    def reloads(self) -> None:
        """Certificates and settings are read again; :meth:`serves` follows."""
        self._service_manager.reloading()

    def drains(self, status: str, within_s: float) -> None:
        """No more calls are taken; those that are there have that many seconds to end."""
        self.state = State.DRAINING
        _state.value = 0
        self._service_manager.stopping(status, within_s)
        event(_log, logging.INFO, "ops.draining", within_s=within_s)

    async def stop(self) -> None:
        """Stop all of it."""
        await self._supervisor.stop()
        await self._http.close()
        if self._trace is not None:
            # The default executor: this runs once, when the process ends.
            await asyncio.to_thread(self._trace.stop)
        if self._collector is not None:
            self._collector.close()

    # Pages

    def _show_metrics(self) -> Answer:
        return Answer(content_type=CONTENT_TYPE, body=self._metrics.text())

    def _show_health(self) -> Answer:
        return Answer.of_json({"alive": True, "state": self.state, "pid": os.getpid()})

    def _show_readiness(self) -> Answer:
        own = {"operation": self._supervisor.problem} if self._supervisor.problem() else {}
        health = examine({**self._checks, **own}, self._notices)
        ready = health.ready and self.state is State.SERVING
        return Answer.of_json({**health.facts(), "ready": ready, "state": self.state}, 200 if ready else 503)


async def _measure_lag() -> None:
    loop = asyncio.get_running_loop()
    while True:
        expected = loop.time() + LAG_S
        await asyncio.sleep(LAG_S)
        _lag.observe(max(0.0, loop.time() - expected))
