"""``tandem phone``: a synthetic phone for administrators who want to hear what a caller hears."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tandem.call.errors import CallFailed
from tandem.cli.common import JSON, print_json
from tandem.media.codec.wav import write_wav
from tandem.pki.tls import phone_tls_context
from tandem.probe.errors import PhoneError
from tandem.probe.phone import Account, Phone, PhoneCall, When
from tandem.sip.aio.resolve import Resolver, parse_overrides
from tandem.sip.sdp.offer import Encryption

_PATH = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


_MEDIA = {"required": Encryption.REQUIRE, "optional": Encryption.PREFER, "none": Encryption.REFUSE}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Who phones, by which pool, and with which media."""

    account: Account
    roots: Path
    resolver: Resolver
    encryption: Encryption


@click.group()
def phone() -> None:
    """A phone on the command line: registers by TLS, calls, listens, speaks WAV files, sends DTMF digits."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say who phones; the command gets them as one argument ``line``."""

    @functools.wraps(command)
    def wrapped(
        *,
        address: str,
        pool: str,
        port: int,
        secret_file: Path,
        roots: Path,
        resolve: tuple[str, ...],
        media_encryption: str,
        **others: Any,
    ) -> None:
        secret = secret_file.read_text(encoding="utf-8").strip()
        line = _Line(
            account=Account(address=address, secret=secret, pool=pool, port=port),
            roots=roots,
            resolver=Resolver(parse_overrides(resolve)),
            encryption=_MEDIA[media_encryption],
        )
        command(line=line, **others)

    for option in (
        click.argument("address"),
        click.option("--pool", required=True, metavar="FQDN", help="The pool to register at."),
        click.option("--port", default=5061, show_default=True, type=click.IntRange(1, 65535), help="Its TLS port."),
        click.option("--secret-file", required=True, type=_EXISTING, help="A file with the SIP secret."),
        click.option("--roots", required=True, type=_EXISTING, help="The root certificates to trust (PEM)."),
        click.option("--resolve", multiple=True, metavar="FQDN=IP:PORT", help="Where a name is."),
        click.option(
            "--media-encryption",
            type=click.Choice([*_MEDIA]),
            default="required",
            show_default=True,
            help="SRTP: required; optional (RTP where it is refused); none, as UM speaks in SIPSecured dial plans.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


@contextlib.asynccontextmanager
async def _registered(line: _Line) -> AsyncIterator[Phone]:
    made = Phone(line.account, phone_tls_context(line.roots), resolver=line.resolver, encryption=line.encryption)
    try:
        await made.register()
        yield made
    finally:
        with contextlib.suppress(PhoneError):
            await made.register(expires_s=0)
        await made.close()


@phone.command()
@_options
@JSON
def register(
    line: _Line,
    as_json: bool,
) -> None:
    """Register ADDRESS, show message waiting (MWI), unregister.

    \b
    Example:
      tandem directory sip-secret example/organization.yaml pool1.example.com alice@example.com > alice.secret
      tandem phone register alice@example.com --pool pool1.example.com --resolve pool1.example.com=127.0.0.1:15062 \\
          --secret-file alice.secret --roots example/state/pki/pool1.example.com/roots.pem
    """

    async def run() -> dict[str, object]:
        async with _registered(line) as made:
            await made.subscribe_mwi()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await made.mwi_changed.wait()
            return {
                "registered": line.account.address,
                "waiting": made.mwi.waiting,
                "new": made.mwi.new,
                "old": made.mwi.old,
            }

    result = asyncio.run(run())
    if as_json:
        print_json(result)
    else:
        waiting = "on" if result["waiting"] else "off"
        click.echo(
            f"{line.account.address} is registered; message waiting {waiting}: {result['new']} new, {result['old']} old"
        )


@phone.command()
@_options
@click.argument("number")
@click.option("--say", type=_EXISTING, help="A WAV file to speak (mono, 8000 Hz).")
@click.option("--after-tone", is_flag=True, help="Speak once a tone was heard, as for voice mail.")
@click.option("--dtmf", default="", help="DTMF digits to send after speaking.")
@click.option("--seconds", default=0.0, help="How long to stay after that.")
@click.option("--record", type=_PATH, help="Write what was heard to this WAV file.")
@JSON
def call(
    line: _Line,
    number: str,
    say: Path | None,
    after_tone: bool,
    dtmf: str,
    seconds: float,
    record: Path | None,
    as_json: bool,
) -> None:
    """Call NUMBER as ADDRESS. Exit code 0: answered; 1: not.

    \b
    Example, a voice message:
      tandem directory sip-secret example/organization.yaml pool1.example.com bob@example.com > bob.secret
      tandem phone call bob@example.com 4101 --pool pool1.example.com --resolve pool1.example.com=127.0.0.1:15062 \\
          --secret-file bob.secret --roots example/state/pki/pool1.example.com/roots.pem \\
          --after-tone --say hello.wav --dtmf '#' --seconds 4 --record heard.wav
    """

    speech = say.read_bytes() if say is not None else b""

    async def run() -> PhoneCall:
        async with _registered(line) as made:
            placed = await made.call(number)
            if after_tone:
                await placed.wait_for_tone()
            if speech:
                await placed.speak(speech)
            await placed.send_dtmf(dtmf)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.shield(placed.leg.ended)
            await placed.hang_up()
            return placed

    try:
        placed = asyncio.run(run())
    except CallFailed as failed:
        hint = (
            "; try --media-encryption optional"
            if failed.status == 488 and line.encryption is not Encryption.PREFER
            else ""
        )
        raise PhoneError(f"{number} was not answered: {failed}{hint}") from None
    _heard(placed, record)
    result = {
        "answered": True,
        "secure": placed.leg.secure,
        "heard_s": len(placed.heard) / 16_000,
        "digits": "".join(placed.digits),
        "ended": placed.leg.ended.result(),
    }
    if as_json:
        print_json(result)
    else:
        media = "SRTP" if placed.leg.secure else "RTP"
        click.echo(f"{number} answered; {result['heard_s']:.1f} s heard over {media}; ended by {result['ended']}")


@phone.command()
@_options
@click.option("--seconds", default=60.0, show_default=True, help="How long to wait for a call, and then to listen.")
@click.option("--record", type=_PATH, help="Write what was heard to this WAV file.")
@JSON
def listen(
    line: _Line,
    seconds: float,
    record: Path | None,
    as_json: bool,
) -> None:
    """Register ADDRESS and answer the first call. Exit code 0: there was one; 1: not.

    \b
    Example:
      tandem directory sip-secret example/organization.yaml pool1.example.com alice@example.com > alice.secret
      tandem phone listen alice@example.com --pool pool1.example.com --resolve pool1.example.com=127.0.0.1:15062 \\
          --secret-file alice.secret --roots example/state/pki/pool1.example.com/roots.pem
    """

    async def run() -> PhoneCall:
        async with _registered(line) as made:
            made.when = When.ANSWER
            try:
                async with asyncio.timeout(seconds):
                    answered = await made.incoming.get()
            except TimeoutError:
                raise PhoneError(f"nobody called {line.account.address} within {seconds:g} s") from None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.shield(answered.leg.ended)
            await answered.hang_up()
            return answered

    answered = asyncio.run(run())
    _heard(answered, record)
    result = {"heard_s": len(answered.heard) / 16_000, "digits": "".join(answered.digits)}
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['heard_s']:.1f} s heard; DTMF digits: {result['digits'] or '-'}")


def _heard(placed: PhoneCall, record: Path | None) -> None:
    if record is not None:
        record.write_bytes(write_wav(bytes(placed.heard)))
