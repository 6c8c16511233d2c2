"""The codecs that are spoken: a table, and one small interface to all of them.

Sound inside of Tandem is linear: 16-bit little-endian samples at 8,000 Hz. A codec turns it into payloads of 20 ms and
back; payloads that a peer cuts otherwise (10 to 120 ms) are decoded as they come. What a decoder gives has exactly the
length that the payload tells, whatever delay lies in filters, so that a recording has its true length.

| name | RTP clock | sound is sampled at | source |
|---|---|---|---|
| PCMU, PCMA | 8,000 | 8,000 | RFC 3551 §4.5.14 |
| G722 | 8,000 | 16,000 | RFC 3551 §4.5.2: the clock is wrong for history's sake |
| opus | 48,000 | 8,000 to 48,000 | RFC 7587 |

G.711 is :mod:`tandem.media.codec.g711`; the others are FFmpeg's, by :mod:`tandem.media.codec.ffmpeg`, which is
imported when the first of their encoders or decoders is made: it costs 110 ms and 23 MB, and most calls need neither.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from tandem.media.codec import g711

FRAME_BYTES = 2 * g711.FRAME
"""Linear sound of 20 ms."""
_LEAD = 5  # frames of silence, after which an encoder's state does not change any more


class Encoder(Protocol):
    """Linear sound into payloads, for one stream."""

    def encode(self, linear: bytes) -> list[bytes]:
        """The payloads of 20 ms that are whole now; the rest of the sound waits for more."""

    def finish(self) -> list[bytes]:
        """The last payload, filled up with silence; none if nothing waits."""


class Decoder(Protocol):
    """Payloads of one stream, in order, into linear sound."""

    def decode(self, payload: bytes) -> bytes:
        """The sound of a payload, of the payload's own length; nothing for one that cannot be decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One codec. ``clock`` is RTP's, in Hz; ``payload_type`` is fixed below 96, and what we offer from there on."""

    name: str
    payload_type: int
    clock: int
    encoder: Callable[[], Encoder] = field(repr=False)
    decoder: Callable[[], Decoder] = field(repr=False)
    remembers: bool = False
    """Whether a payload sounds as it should only behind those before it."""
    byte_a_tick: bool = False
    """Whether a payload's length in bytes is its length in ticks of the RTP clock."""

    @property
    def ticks(self) -> int:
        """By how much the RTP timestamp grows in 20 ms."""
        return self.clock // 50

    def samples(self, ticks: int) -> int:
        """Linear samples in so many ticks of the RTP clock."""
        return ticks * g711.RATE // self.clock

    def frames(self, linear: bytes) -> list[bytes]:
        """A whole piece of sound as payloads of 20 ms, the last one filled up with silence."""
        return list(self.payloads(linear))

    def payloads(self, linear: bytes) -> Iterator[bytes]:
        """The same one by one, each encoded when it is asked for.

        They are made to be played behind :func:`silence`, in whose state a peer's decoder then is.
        """
        encoder = self.encoder()
        if self.remembers:
            encoder.encode(bytes(_LEAD * FRAME_BYTES))
        for at in range(0, len(linear), FRAME_BYTES):
            yield from encoder.encode(linear[at : at + FRAME_BYTES])
        yield from encoder.finish()


class Framer:
    """Cuts sound into frames of 20 ms and hands each to ``encode``, which gives its payload."""

    def __init__(self, encode: Callable[[bytes], bytes]) -> None:
        self._encode = encode
        self._rest = b""

    def encode(self, linear: bytes) -> list[bytes]:
        """See :class:`Encoder`."""
        data = self._rest + linear
        whole = len(data) // FRAME_BYTES * FRAME_BYTES
        self._rest = data[whole:]
        return [self._encode(data[at : at + FRAME_BYTES]) for at in range(0, whole, FRAME_BYTES)]

    def finish(self) -> list[bytes]:
        """See :class:`Encoder`."""
        return self.encode(bytes(FRAME_BYTES - len(self._rest))) if self._rest else []


class _G711Decoder:
    def __init__(self, payload_type: int) -> None:
        self._payload_type = payload_type

    def decode(self, payload: bytes) -> bytes:
        return g711.decode(payload, self._payload_type)


def _g711(name: str, payload_type: int) -> Codec:
    return Codec(
        name=name,
        payload_type=payload_type,
        clock=8000,
        encoder=lambda: Framer(lambda frame: g711.encode(frame, payload_type)),
        decoder=lambda: _G711Decoder(payload_type),
        byte_a_tick=True,
    )


def _g722_encoder() -> Encoder:
    from tandem.media.codec import ffmpeg

    return Framer(ffmpeg.FrameEncoder("g722", rate=16_000).encode)


def _g722_decoder() -> Decoder:
    from tandem.media.codec import ffmpeg

    return ffmpeg.StreamDecoder("g722", rate=16_000)


def _opus_encoder() -> Encoder:
    from tandem.media.codec import ffmpeg

    return Framer(ffmpeg.FrameEncoder("libopus", rate=g711.RATE, bit_rate=ffmpeg.OPUS_BPS, application="voip").encode)


def _opus_decoder() -> Decoder:
    from tandem.media.codec import ffmpeg

    return ffmpeg.StreamDecoder("libopus", rate=48_000)


CODECS = {
    codec.name: codec
    for codec in (
        _g711("PCMU", g711.PCMU),
        _g711("PCMA", g711.PCMA),
        Codec(
            name="G722",
            payload_type=9,
            clock=8000,
            encoder=_g722_encoder,
            decoder=_g722_decoder,
            remembers=True,
            byte_a_tick=True,
        ),
        Codec(name="opus", payload_type=96, clock=48_000, encoder=_opus_encoder, decoder=_opus_decoder, remembers=True),
    )
}
"""Every codec by its name in SDP."""


@cache
def silence(name: str) -> bytes:
    """A payload of 20 ms of silence, from the middle of a silent stream."""
    return CODECS[name].frames(bytes(_LEAD * FRAME_BYTES))[-1]
