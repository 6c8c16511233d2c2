"""G.722 and Opus by FFmpeg's libraries (PyAV): one frame in, one payload out, and back.

FFmpeg's resampler holds back its filter's length at the start (16 samples of 8,000 Hz). Here that much silence goes
before, so that every frame comes out whole: a constant delay of 2 ms, and lengths that are true. Left out: Opus'
in-band error correction, which FFmpeg's decoder does not read (so we do not ask for it in SDP), and its own
concealment of losses.

Import this module only where a call needs it: PyAV takes 110 ms and 23 MB.
"""

from fractions import Fraction
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from tandem.media.codec.g711 import RATE

OPUS_BPS = 24_000
"""Bits per second: beyond it, narrowband speech gains nothing that a listener hears (RFC 6716 §2.1.1: 8 to 12 kbit/s)."""


class FrameEncoder:
    """Encodes 20 ms of linear sound at a time."""

    def __init__(self, codec: str, *, rate: int, bit_rate: int | None = None, application: str = "") -> None:
        context = cast(AudioCodecContext, av.CodecContext.create(codec, "w"))
        context.sample_rate, context.format, context.layout = rate, "s16", "mono"
        context.time_base = Fraction(1, rate)
        if bit_rate:
            context.bit_rate = bit_rate
        if application:
            context.options = {"application": application}
        self._context = context
        self._resampler = _Resampler(RATE, rate) if rate != RATE else None
        self._rate = rate
        self._position = 0

    def encode(self, frame: bytes) -> bytes:
        """The payload of 20 ms of sound (320 bytes)."""
        linear = self._resampler.resample(frame) if self._resampler else frame
        sound = _frame(linear, self._rate)
        sound.pts = self._position
        self._position += sound.samples
        return b"".join(map(bytes, self._context.encode(sound)))


class StreamDecoder:
    """Decodes payloads of any length to linear sound."""

    def __init__(self, codec: str, *, rate: int) -> None:
        context = cast(AudioCodecContext, av.CodecContext.create(codec, "r"))
        context.sample_rate, context.layout = rate, "mono"
        self._context = context
        self._resampler = _Resampler(rate, RATE)

    def decode(self, payload: bytes) -> bytes:
        """See :class:`tandem.media.codec.table.Decoder`."""
        if not payload:  # to FFmpeg, an empty packet means the stream's end
            return b""
        try:
            frames = self._context.decode(av.Packet(payload))
        except FFmpegError:
            return b""
        return b"".join(self._resampler.take(frame) for frame in frames)


class _Resampler:
    """Changes the rate of a mono stream; gives as much as it takes, however long its filter is."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._from, self._to = from_rate, to_rate
        self._resampler = AudioResampler(format="s16", layout="mono", rate=to_rate)
        self._ready = bytearray()
        self._owed = 0  # samples, times the rate that they come in

    def resample(self, linear: bytes) -> bytes:
        return self.take(_frame(linear, self._from))

    def take(self, frame: AudioFrame) -> bytes:
        self._owed += frame.samples * self._to
        samples, self._owed = divmod(self._owed, self._from)
        frame.pts = None
        for out in self._resampler.resample(frame):
            self._ready += bytes(out.planes[0])[: 2 * out.samples]
        if (missing := 2 * samples - len(self._ready)) > 0:
            self._ready[:0] = bytes(missing)
        ready = bytes(self._ready[: 2 * samples])
        del self._ready[: 2 * samples]
        return ready


def _frame(linear: bytes, rate: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=len(linear) // 2)
    frame.sample_rate = rate
    plane = frame.planes[0]
    plane.update(linear.ljust(plane.buffer_size, b"\0"))
    return frame
