"""G.711 µ-law and A-law (ITU-T G.711), by tables made once at import from the segments' definition.

Linear sound is 16-bit little-endian samples at 8,000 Hz throughout Tandem.
"""

from array import array
from functools import cache

RATE = 8000
FRAME = 160
"""Samples in 20 ms."""
PCMU, PCMA = 0, 8


def _ulaw_to_linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _alaw_to_linear(code: int) -> int:
    code ^= 0x55
    segment, low = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = low + 8 if segment == 0 else low + 0x108 << segment - 1
    return magnitude if code & 0x80 else -magnitude


_LINEAR = {
    PCMU: [_ulaw_to_linear(code) for code in range(256)],
    PCMA: [_alaw_to_linear(code) for code in range(256)],
}
_DECODE = {kind: [value.to_bytes(2, "little", signed=True) for value in table] for kind, table in _LINEAR.items()}
SILENCE = {PCMU: b"\xff", PCMA: b"\xd5"}


@cache
def _encoder(payload_type: int) -> bytes:
    """The code nearest to each 16-bit sample (index: sample as unsigned 16 bits)."""
    by_level = sorted((level, code) for code, level in enumerate(_LINEAR[payload_type]))
    table = bytearray(1 << 16)
    at = 0
    for sample in range(-32768, 32768):
        while at + 1 < len(by_level) and abs(by_level[at + 1][0] - sample) <= abs(by_level[at][0] - sample):
            at += 1
        table[sample & 0xFFFF] = by_level[at][1]
    return bytes(table)


def decode(payload: bytes, payload_type: int) -> bytes:
    """G.711 (0 µ-law, 8 A-law) to linear: twice as many bytes."""
    return b"".join(map(_DECODE[payload_type].__getitem__, payload))


def encode(linear: bytes, payload_type: int) -> bytes:
    """Linear to G.711: half as many bytes; an odd byte at the end is dropped."""
    return bytes(map(_encoder(payload_type).__getitem__, _unsigned(linear)))


def _unsigned(linear: bytes) -> "array[int]":
    samples = array("H")
    samples.frombytes(linear[: len(linear) & ~1])
    return samples
