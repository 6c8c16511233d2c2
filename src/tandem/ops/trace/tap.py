"""Takes messages off the signalling path: there, a message costs an append; masking and writing happen in a thread.

What is waiting is bounded: if the disk does not keep up, messages are left out of the trace and counted, and calls go on.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from tandem.core.counters import counter
from tandem.core.log import event, get_logger
from tandem.ops.trace.mask import mask
from tandem.ops.trace.record import Record
from tandem.ops.trace.ring import Ring

_log = get_logger("ops")
WRITE_S = 0.25
MAX_WAITING_BYTES = 8 << 20
LONGEST = 16_384
"""Bytes of a message that are kept; no sane one is longer, and masking costs time by length."""
_BATCH = 500
_messages = counter(
    "tandem_trace_messages_total", "SIP messages by what became of their trace: written, left_out.", "outcome"
)
_written, _left_out = _messages.of("written"), _messages.of("left_out")


class TracedFlow(Protocol):
    """What the trace needs to know of the connection that a message travels on."""

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]


class TraceTap:
    """Call it with each message. ``export`` gets every record too, once it is masked."""

    def __init__(self, ring: Ring, *, export: Callable[[Record], None] | None = None) -> None:
        self._ring = ring
        self._export = export
        self._waiting: deque[tuple[float, bool, TracedFlow, bytes]] = deque()
        self._taken = self._done = 0  # bytes; one thread alone adds to each
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trace", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end (blocks for a moment)."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._ring.close()

    def __call__(self, direction: str, data: bytes, flow: TracedFlow) -> None:
        """A message came (``in``) or went (``out``)."""
        if self._taken - self._done > MAX_WAITING_BYTES:
            _left_out.value += 1
            return
        self._taken += len(data)
        self._waiting.append((time.time(), direction == "out", flow, data))

    def _run(self) -> None:
        while not self._stop.wait(WRITE_S):
            self._write()
        self._write()

    def _write(self) -> None:
        while True:
            batch = [self._record(*self._waiting.popleft()) for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                self._ring.write(batch, time.time())
            except OSError as error:
                _left_out.value += len(batch)
                event(_log, logging.WARNING, "ops.trace_not_written", error=error, messages=len(batch))
            else:
                _written.value += len(batch)
            self._send(batch)
            if len(batch) < _BATCH:
                return

    def _send(self, batch: list[Record]) -> None:
        if self._export is None:
            return
        try:
            for record in batch:
                self._export(record)
        except OSError as error:
            event(_log, logging.WARNING, "ops.trace_not_exported", error=error, messages=len(batch))

    def _record(self, at: float, sent: bool, flow: TracedFlow, data: bytes) -> Record:
        self._done += len(data)
        return Record(
            at=at,
            sent=sent,
            transport=flow.transport,
            local=flow.local,
            remote=flow.remote,
            data=mask(bytes(data[:LONGEST])),
        )
