"""What ``tandem serve`` takes for its operator: where it tells how it is, what it logs, what it traces."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tandem.ops import logs
from tandem.ops.notify import ServiceManager
from tandem.ops.operation import Operation, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """The options together."""

    settings: Settings
    log_format: str
    log_levels: tuple[str, ...]

    def begin(self, fqdn: str, state: Path) -> Operation:
        """Set logging up; what tells of the server comes back, not started yet."""
        logs.set_up(self.log_format, self.log_levels)
        service_manager = ServiceManager.of(os.environ, os.getpid())
        return Operation(self.settings, fqdn=fqdn, traces=state / "trace", service_manager=service_manager)


def host_and_port(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """HOST:PORT, such as of a collector."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise click.BadParameter(f"{value!r}: expected HOST:PORT, such as homer.example.com:9060", ctx, param)
    return host.strip("[]"), int(port)


_OPTIONS = (
    click.option(
        "--ops-port",
        type=click.IntRange(0, 65_535),
        help="Serve /metrics, /healthz and /readyz on this port; without it, nowhere.",
    ),
    click.option("--ops-address", default="127.0.0.1", show_default=True, help="The address for --ops-port."),
    click.option(
        "--log-format", type=click.Choice(logs.FORMATS), default="text", show_default=True, help="How to log."
    ),
    click.option(
        "--log-level",
        multiple=True,
        metavar="[ROOM=]LEVEL",
        help="debug, info, warning or error; for one room: sip=debug.",
    ),
    click.option("--verbose", "-v", is_flag=True, help="As --log-level debug."),
    click.option(
        "--trace-mb",
        type=click.IntRange(0, 100_000),
        default=64,
        show_default=True,
        help="Keep the last SIP messages, up to so many MB, for 'tandem trace'; 0: none.",
    ),
    click.option(
        "--trace-hours",
        type=click.IntRange(1, 8_760),
        default=24,
        show_default=True,
        help="Keep them no longer than this.",
    ),
    click.option(
        "--hep",
        metavar="HOST:PORT",
        callback=host_and_port,
        help="Send what is traced to a collector too (HEP 3, UDP).",
    ),
)


def operating_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the operator's options, as one argument ``operating``."""

    @functools.wraps(command)
    def wrapped(
        *arguments: Any,
        ops_port: int | None,
        ops_address: str,
        log_format: str,
        log_level: tuple[str, ...],
        verbose: bool,
        trace_mb: int,
        trace_hours: int,
        hep: tuple[str, int] | None,
        **others: Any,
    ) -> None:
        settings = Settings(
            address=ops_address,
            port=ops_port,
            trace_bytes=trace_mb << 20,
            trace_age_s=trace_hours * 3600.0,
            collector=hep,
        )
        command(
            *arguments, operating=Operating(settings=settings, log_format=log_format, log_levels=log_level), **others
        )

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
