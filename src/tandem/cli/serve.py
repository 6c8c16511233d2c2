"""``tandem serve``: run a UM server or a voice server."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import click

from tandem.cli.operating import Operating, operating_options
from tandem.ops.operation import Operation
from tandem.sip.aio.endpoint import Tap
from tandem.sip.aio.resolve import parse_overrides
from tandem.wiring import Home, Listen, start_um, start_voice

Bound = dict[str, tuple[str, int]]


class _Server(Protocol):
    async def stop(self) -> None: ...

    def checks(self) -> dict[str, Callable[[], str]]: ...


_Start = Callable[[Tap], Awaitable[tuple[_Server, Bound]]]


@click.group()
def serve() -> None:
    """Run a server in the foreground; SIGTERM or Ctrl-C ends it. Its log goes to standard error."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("fqdn"),
        click.option(
            "--home",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            default=Path(),
            help="The folder with state/ and secrets/ (made by 'tandem init'); default: this folder.",
        ),
        click.option("--address", default="127.0.0.1", show_default=True, help="The address to listen on."),
        click.option("--tls-port", type=click.IntRange(0, 65535), help="Port for TLS instead of the directory's."),
        click.option(
            "--resolve", multiple=True, metavar="FQDN=IP:PORT", help="Where a name is; TLS still checks the name."
        ),
    ):
        command = option(command)
    return operating_options(command)


@serve.command()
@_options
@click.option("--tcp-port", type=click.IntRange(0, 65535), help="Port for plain TCP, where dial plans are Unsecured.")
@click.option("--udp-port", type=click.IntRange(0, 65535), help="Port for plain UDP, where dial plans are Unsecured.")
@click.option("--media-ports", metavar="FIRST-LAST", help="UDP ports for RTP; default: any that are free.")
@click.option("--media-workers", type=click.IntRange(1, 256), help="Processes for media; default: one for each core.")
@click.option(
    "--max-calls",
    type=click.IntRange(1),
    help="Calls taken at once, more are answered 503; default: 400 for each media worker, what a core carries with SRTP.",
)
def um(
    fqdn: str,
    home: Path,
    address: str,
    tls_port: int | None,
    tcp_port: int | None,
    udp_port: int | None,
    resolve: tuple[str, ...],
    media_ports: str | None,
    media_workers: int | None,
    max_calls: int | None,
    operating: Operating,
) -> None:
    """Run the UM server FQDN: it answers the calls of its UM dial plans into mailboxes.

    \b
    Example:
      tandem serve um um1.example.com --home example --tls-port 15061 \\
          --resolve pool1.example.com=127.0.0.1:15062
    """
    ports = {"tls": tls_port, "tcp": tcp_port, "udp": udp_port}
    listen = replace(_listen(address, ports, resolve, media_ports), media_workers=media_workers, max_calls=max_calls)
    place = Home(folder=home.resolve())
    operation = operating.begin(fqdn, place.state)
    asyncio.run(_run(lambda tap: start_um(place, fqdn, listen, tap), fqdn, operation))


@serve.command()
@_options
def voice(
    fqdn: str, home: Path, address: str, tls_port: int | None, resolve: tuple[str, ...], operating: Operating
) -> None:
    """Run the voice server FQDN: it registers phones, routes their calls and diverts to UM.

    \b
    Example:
      tandem serve voice pool1.example.com --home example --tls-port 15062 \\
          --resolve um1.example.com=127.0.0.1:15061
    """
    listen = _listen(address, {"tls": tls_port}, resolve, None)
    place = Home(folder=home.resolve())
    operation = operating.begin(fqdn, place.state)
    asyncio.run(_run(lambda tap: start_voice(place, fqdn, listen, tap), fqdn, operation))


def _listen(address: str, ports: dict[str, int | None], resolve: tuple[str, ...], media_ports: str | None) -> Listen:
    media = range(1)
    if media_ports:
        first, _, last = media_ports.partition("-")
        if not (first.isdigit() and last.isdigit() and 1024 <= int(first) < int(last) <= 65535):
            raise click.BadParameter(f"{media_ports!r}: expected FIRST-LAST within 1024-65535, such as 20000-29999")
        media = range(int(first), int(last) + 1)
    return Listen(
        address=address,
        ports={kind: port for kind, port in ports.items() if port is not None},
        resolve=parse_overrides(resolve),
        media_ports=media,
    )


async def _run(start: _Start, fqdn: str, operation: Operation) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await operation.start()
    server, bound = await start(operation.seen)
    if operation.bound is not None:
        bound = {**bound, "http": operation.bound}
    where = ", ".join(f"{kind} {host}:{port}" for kind, (host, port) in bound.items())
    operation.serves(where, server.checks())
    click.echo(f"{fqdn} is ready: {where}")
    await stop.wait()
    operation.drains("ending", 0.0)
    await server.stop()
    await operation.stop()
