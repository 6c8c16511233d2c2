"""WAV files, mono at 8,000 Hz: 16-bit linear (written and read) and G.711 (read)."""

import struct

from tandem.media.codec import g711
from tandem.media.errors import BadWav

_LINEAR, _ALAW, _ULAW = 1, 6, 7


def write_wav(linear: bytes) -> bytes:
    """A RIFF/WAVE file of 16-bit linear samples."""
    form = struct.pack("<HHIIHH", _LINEAR, 1, g711.RATE, g711.RATE * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(linear)) + linear
    return b"RIFF" + struct.pack("<I", len(body)) + body


def read_wav(data: bytes) -> bytes:
    """The samples of a file as 16-bit linear. Raises :class:`BadWav` with what was found and expected."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise BadWav("not a WAV file: it does not begin with RIFF and WAVE")
    form: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        chunk = data[at + 8 : at + 8 + size]
        if name == b"fmt " and len(chunk) >= 16:
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
            form = (kind, channels, rate, bits)
        elif name == b"data":
            return _linear(chunk, form)
        at += 8 + size + (size & 1)
    raise BadWav("the WAV file has no sound in it")


def _linear(chunk: bytes, form: tuple[int, int, int, int] | None) -> bytes:
    match form:
        case (1, 1, g711.RATE, 16):
            return chunk[: len(chunk) & ~1]
        case (7, 1, g711.RATE, 8):
            return g711.decode(chunk, g711.PCMU)
        case (6, 1, g711.RATE, 8):
            return g711.decode(chunk, g711.PCMA)
        case None:
            raise BadWav("the WAV file has sound before its format")
        case (kind, channels, rate, bits):
            raise BadWav(
                f"format {kind} with {channels} channel(s), {rate} Hz, {bits} bits; expected mono, 8000 Hz, "
                "16-bit linear (1) or 8-bit G.711 (6, 7)"
            )
