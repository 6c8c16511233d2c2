"""RTCP packets (RFC 3550 §6): sender and receiver reports, CNAME, goodbye, in compound datagrams; read and written.

What comes in is checked as appendix A.2 says, except that a lone report is taken (RFC 5506; some send them unasked). Packets
of other types (APP, feedback, extended reports) are passed over. Left out: other SDES items than CNAME.
"""

import struct
from dataclasses import dataclass

from tandem.media.errors import BadPacket

SENDER, RECEIVER, DESCRIPTION, GOODBYE = 200, 201, 202, 203
_HEADER = struct.Struct("!BBH")
_BLOCK = struct.Struct("!IIIIII")
_SENDER_INFO = struct.Struct("!QIII")
_CNAME = 1
_MAX_LOST = 0x7FFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderInfo:
    """What a sender tells of itself: ``ntp`` is 32.32 bits of seconds, ``timestamp`` the same moment in RTP's clock."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlock:
    """How ``ssrc`` is received. ``fraction`` is lost of 256 since the last report, ``lost`` of all; ``jitter`` in ticks.

    ``last_report`` is the middle of the last sender report's ``ntp``, ``delay`` since then; both of 16.16 bits, 0 if none came.
    """

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_report: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcpReport:
    """A sender report, or a receiver report if there is no ``sender``."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """These sources are gone."""

    ssrcs: tuple[int, ...]


def build_rtcp(report: RtcpReport, *, cname: str, goodbye: bool = False) -> bytes:
    """A compound datagram: report, CNAME, and the goodbye if this is the end."""
    body = struct.pack("!I", report.ssrc)
    if report.sender:
        info = report.sender
        body += _SENDER_INFO.pack(info.ntp, info.timestamp, info.packets % 2**32, info.octets % 2**32)
    body += b"".join(map(_block_bytes, report.blocks))
    out = _packet(SENDER if report.sender else RECEIVER, len(report.blocks), body)
    name = cname.encode()[:255]
    item = struct.pack("!IBB", report.ssrc, _CNAME, len(name)) + name
    out += _packet(DESCRIPTION, 1, item + bytes(4 - len(item) % 4))  # at least one zero ends the items
    return out + (_packet(GOODBYE, 1, struct.pack("!I", report.ssrc)) if goodbye else b"")


def parse_rtcp(data: bytes) -> list[RtcpReport | Goodbye]:
    """What a compound datagram tells. Raises :class:`BadPacket` for anything that is not RTCP."""
    out: list[RtcpReport | Goodbye] = []
    at = 0
    while at < len(data):
        count, kind, body, end = _next(data, at)
        if at == 0 and not 192 <= kind <= 223:  # RFC 5761 §4
            raise BadPacket(f"{kind} is no type of RTCP")
        if kind in (SENDER, RECEIVER):
            out.append(_report(body, count, kind))
        elif kind == GOODBYE:
            if len(body) < 4 * count:
                raise BadPacket("a goodbye is cut")
            out.append(Goodbye(ssrcs=struct.unpack_from(f"!{count}I", body)))
        at = end
    if at == 0:
        raise BadPacket("an empty datagram is no RTCP")
    return out


def _next(data: bytes, at: int) -> tuple[int, int, bytes, int]:
    """Count, type and body of the packet there, and where it ends."""
    if len(data) < at + _HEADER.size:
        raise BadPacket("an RTCP packet is cut")
    first, kind, words = _HEADER.unpack_from(data, at)
    end = at + 4 * (words + 1)
    if first >> 6 != 2 or end > len(data):
        raise BadPacket("not RTCP version 2, or longer than its datagram")
    body = data[at + _HEADER.size : end]
    if first & 0x20:
        if end != len(data) or not body or not 0 < body[-1] <= len(body):
            raise BadPacket("padding where none may be")
        body = body[: -body[-1]]
    return first & 0x1F, kind, body, end


def _report(body: bytes, count: int, kind: int) -> RtcpReport:
    start = 4 + (_SENDER_INFO.size if kind == SENDER else 0)
    if len(body) < start + count * _BLOCK.size:
        raise BadPacket("a report is cut")
    info = None
    if kind == SENDER:
        ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body, 4)
        info = SenderInfo(ntp=ntp, timestamp=timestamp, packets=packets, octets=octets)
    blocks = (_block(body, start + number * _BLOCK.size) for number in range(count))
    return RtcpReport(ssrc=struct.unpack_from("!I", body)[0], sender=info, blocks=tuple(blocks))


def _block(body: bytes, at: int) -> ReportBlock:
    ssrc, losses, highest, jitter, last_report, delay = _BLOCK.unpack_from(body, at)
    lost = losses & 0xFFFFFF
    return ReportBlock(
        ssrc=ssrc,
        fraction=losses >> 24,
        lost=lost - 0x1000000 if lost > _MAX_LOST else lost,
        highest=highest,
        jitter=jitter,
        last_report=last_report,
        delay=delay,
    )


def _block_bytes(block: ReportBlock) -> bytes:
    lost = max(-_MAX_LOST - 1, min(_MAX_LOST, block.lost)) & 0xFFFFFF
    losses = block.fraction << 24 | lost
    return _BLOCK.pack(block.ssrc, losses, block.highest, block.jitter, block.last_report, block.delay)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body
