"""WAV files, mono at 8,000 Hz: 16-bit linear (written and read) and G.711 (read), whole or piece by piece."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tandem.media.codec import g711
from tandem.media.errors import BadWav

_LINEAR, _ALAW, _ULAW = 1, 6, 7
_LAW = {_ALAW: g711.PCMA, _ULAW: g711.PCMU}
_MOST_CHUNKS = 64
"""Chunks that are looked at for the sound: real files have fewer than ten before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavLayout:
    """Where the sound of a file is: from byte ``offset`` on, so many ``samples``; ``law`` is G.711's payload type."""

    offset: int
    samples: int
    law: int | None = None

    def read(self, read: Callable[[int, int], bytes], at: int, count: int) -> bytes:
        """Linear sound: ``count`` samples from sample ``at`` on, or as many as there are."""
        count = min(count, self.samples - at)
        if count <= 0:
            return b""
        width = 2 if self.law is None else 1
        data = read(self.offset + at * width, count * width)
        return data[: len(data) & ~1] if self.law is None else g711.decode(data, self.law)


def write_wav(linear: bytes) -> bytes:
    """A RIFF/WAVE file of 16-bit linear samples."""
    form = struct.pack("<HHIIHH", _LINEAR, 1, g711.RATE, g711.RATE * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(linear)) + linear
    return b"RIFF" + struct.pack("<I", len(body)) + body


def read_wav(data: bytes) -> bytes:
    """The samples of a file as 16-bit linear. Raises :class:`BadWav` with what was found and expected."""
    if data[:4] != b"RIFF":
        raise BadWav("not a WAV file: it does not begin with RIFF and WAVE")

    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    layout = find_sound(read, len(data))
    return layout.read(read, 0, layout.samples)


def find_sound(read: Callable[[int, int], bytes], size: int) -> WavLayout:
    """Find the sound in a file of ``size`` bytes; what does not begin with RIFF is linear sound without a header.

    Raises :class:`BadWav` with what was found and expected.
    """
    head = read(0, 12)
    if head[:4] != b"RIFF":
        return WavLayout(offset=0, samples=size // 2)
    if head[8:12] != b"WAVE":
        raise BadWav("not a WAV file: it does not begin with RIFF and WAVE")
    form: tuple[int, int, int, int] | None = None
    at = 12
    for _ in range(_MOST_CHUNKS):
        if len(begin := read(at, 8)) < 8:
            break
        name, length = struct.unpack("<4sI", begin)
        if name == b"fmt " and len(chunk := read(at + 8, 16)) == 16 <= length:
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk)
            form = (kind, channels, rate, bits)
        elif name == b"data":
            return _layout(at + 8, min(length, size - at - 8), form)
        at += 8 + length + (length & 1)
    raise BadWav("the WAV file has no sound in it")


def _layout(offset: int, length: int, form: tuple[int, int, int, int] | None) -> WavLayout:
    match form:
        case (1, 1, g711.RATE, 16):
            return WavLayout(offset=offset, samples=length // 2)
        case (6 | 7 as kind, 1, g711.RATE, 8):
            return WavLayout(offset=offset, samples=length, law=_LAW[kind])
        case None:
            raise BadWav("the WAV file has sound before its format")
        case (kind, channels, rate, bits):
            raise BadWav(
                f"format {kind} with {channels} channel(s), {rate} Hz, {bits} bits; expected mono, 8000 Hz, "
                "16-bit linear (1) or 8-bit G.711 (6, 7)"
            )
