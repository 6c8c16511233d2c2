"""Notifies the service manager, systemd: ready, reloading, stopping, still alive (sd_notify(3), Type=notify in the unit).

Each word is a datagram of ``NAME=value`` lines to the socket that the environment names. Where it names none, nothing is
said. Left out: file descriptors handed over.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tandem.core.log import event, get_logger

_log = get_logger("ops")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceManager:
    """Where to send notifications: ``address`` is empty without a service manager, ``watchdog_s`` is 0 without a watchdog."""

    address: str = ""
    watchdog_s: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> "ServiceManager":
        """What the environment says; a watchdog that is meant for another process is not ours."""
        wanted = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        period_us = environment.get("WATCHDOG_USEC", "")
        return cls(
            address=environment.get("NOTIFY_SOCKET", ""),
            watchdog_s=int(period_us) / 1e6 if wanted and period_us.isdigit() else 0.0,
        )

    def ready(self, status: str) -> None:
        """We serve; also said when a reload is over."""
        self._tell(f"READY=1\nSTATUS={_one_line(status)}\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """We read certificates and settings again; :meth:`ready` follows."""
        # Type=notify-reload (systemd 253) wants to know the moment.
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str, within_s: float) -> None:
        """We end, and need that long for it at most."""
        self._tell(f"STOPPING=1\nSTATUS={_one_line(status)}\nEXTEND_TIMEOUT_USEC={round(within_s * 1e6)}")

    async def watch(self) -> None:
        """Say twice in each period that the event loop still turns, until cancelled."""
        while self.address and self.watchdog_s:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)

    def _tell(self, text: str) -> None:
        if not self.address:
            return
        # A leading @ stands for the null byte of an abstract name.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto(text.encode(), address)
        except OSError as error:  # calls go on, whether or not anybody listens
            event(_log, logging.WARNING, "ops.not_notified", address=self.address, error=error)


def _one_line(text: str) -> str:
    return " ".join(text.split())
