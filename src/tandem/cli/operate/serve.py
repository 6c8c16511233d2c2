"""``tandem serve``: run a UM server or a voice server."""

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import uvloop

from tandem.cli.operate.operating import Operating, operating_options
from tandem.cli.operate.serving import run
from tandem.media.engine.udp import EXPEDITED
from tandem.sip.aio.resolve import parse_overrides
from tandem.wiring import CS3, Home, Listen, start_um, start_voice


@click.group()
def serve() -> None:
    """Run a server in the foreground. Its log goes to standard error.

    SIGTERM or Ctrl-C lets active calls end, a second one ends it at once; SIGHUP takes new certificates.
    """


def _ip_address(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """One address, as the kernel writes it. For a UM server it goes into SDP, where 0.0.0.0 would mean "on hold"."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise click.BadParameter(f"{value!r}: expected an IP address, such as 192.0.2.10", ctx, param) from None
    if address.is_unspecified and ctx.command.name == "um":
        raise click.BadParameter(
            f"{value}: this address goes into SDP; expected an address of this machine, such as 192.0.2.10", ctx, param
        )
    return str(address)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("fqdn"),
        click.option(
            "--home",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            default=Path(),
            help="The folder with state/ and secrets/ (made by 'tandem init'); default: this folder.",
        ),
        click.option(
            "--address",
            default="127.0.0.1",
            show_default=True,
            callback=_ip_address,
            help="The address to listen on. A UM server puts it into SDP, so it must be an address of this machine.",
        ),
        click.option("--tls-port", type=click.IntRange(0, 65535), help="Port for TLS instead of the directory's."),
        click.option(
            "--dscp-sip",
            type=click.IntRange(0, 63),
            default=CS3,
            show_default=True,
            help="Mark signalling with this code point: 24 is CS3, 26 is AF31, 0 leaves it unmarked.",
        ),
        click.option(
            "--drain-s",
            type=click.FloatRange(min=0),
            default=30.0,
            show_default=True,
            metavar="SECONDS",
            help="How long calls may go on after SIGTERM, while new ones are answered 503; a second SIGTERM ends at once.",
        ),
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
@click.option(
    "--dscp-media",
    type=click.IntRange(0, 63),
    default=EXPEDITED,
    show_default=True,
    help="Mark media with this code point: 46 is EF, 0 leaves it unmarked.",
)
@click.option("--media-workers", type=click.IntRange(1, 256), help="Processes for media; default: one for each core.")
@click.option(
    "--max-calls",
    type=click.IntRange(1),
    help="Calls taken at once, more are answered 503; default: 400 for each media worker, what a core carries with "
    "SRTP, if there are ports for them.",
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
    dscp_sip: int,
    dscp_media: int,
    drain_s: float,
    operating: Operating,
) -> None:
    """Run the UM server FQDN: it answers the calls of its UM dial plans into mailboxes.

    \b
    Example:
      tandem serve um um1.example.com --home example --tls-port 15061 \\
          --resolve pool1.example.com=127.0.0.1:15062
    """
    ports = {"tls": tls_port, "tcp": tcp_port, "udp": udp_port}
    listen = replace(
        _listen(address, ports, resolve, media_ports),
        media_workers=media_workers,
        max_calls=max_calls,
        dscp=dscp_sip,
        media_dscp=dscp_media,
    )
    place = Home(folder=home.resolve())
    operation = operating.begin(fqdn, place.state)
    uvloop.run(run(lambda tap: start_um(place, fqdn, listen, tap), fqdn, operation, drain_s=drain_s))


@serve.command()
@_options
@click.option("--tcp-port", type=click.IntRange(0, 65535), help="Listen for plain TCP as well; without it, nowhere.")
@click.option("--udp-port", type=click.IntRange(0, 65535), help="Listen for plain UDP as well; without it, nowhere.")
def voice(
    fqdn: str,
    home: Path,
    address: str,
    tls_port: int | None,
    tcp_port: int | None,
    udp_port: int | None,
    resolve: tuple[str, ...],
    dscp_sip: int,
    drain_s: float,
    operating: Operating,
) -> None:
    """Run the voice server FQDN: it registers phones, routes their calls and diverts to UM.

    Phones come by TLS. Over plain TCP or UDP, which are off, anyone on the way reads who calls whom, and the keys of SRTP.

    \b
    Example:
      tandem serve voice pool1.example.com --home example --tls-port 15062 \\
          --resolve um1.example.com=127.0.0.1:15061
    """
    ports = {"tls": tls_port, "tcp": tcp_port, "udp": udp_port}
    listen = replace(_listen(address, ports, resolve, None), dscp=dscp_sip)
    place = Home(folder=home.resolve())
    operation = operating.begin(fqdn, place.state)
    uvloop.run(run(lambda tap: start_voice(place, fqdn, listen, tap), fqdn, operation, drain_s=drain_s))


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
