"""One audio stream on a UDP socket: plays, hears, sends and receives keys; plain or SRTP.

RTP flows without a pause in both directions (silence while nothing is played), so that the peer sees a living stream.
Packets are heard from one source only: for SRTP the first that proves the key, for plain RTP only the address that the
peer's description names. Everything else is counted and dropped. RTCP is received and left aside.
"""

import asyncio
import logging
import secrets
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from tandem.core.log import event, get_logger
from tandem.media import comfort, g711
from tandem.media.aio.pacer import Pacer
from tandem.media.codecs import CODECS
from tandem.media.dtmf import KeyReceiver, key_payloads
from tandem.media.errors import BadPacket, NoPort
from tandem.media.receiver import Kind, Receiver
from tandem.media.rtp import SEQ_MOD, TS_MOD, RtpPacket, is_rtcp, parse_rtp
from tandem.media.srtp import SrtpReceiver, SrtpSender

_log = get_logger("media")
_STATIC = {codec.payload_type: codec for codec in CODECS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What was agreed on: where the peer hears us, the codec, and the keys (each 30 bytes) for SRTP."""

    host: str
    port: int
    payload_type: int
    event_type: int | None = None
    suite: str = ""
    send_key: bytes = field(default=b"", repr=False)
    receive_key: bytes = field(default=b"", repr=False)
    send: bool = True


class Playback:
    """Sound that is being played; wait for :attr:`done`, which says whether it was played to its end."""

    def __init__(self, frames: deque[bytes]) -> None:
        self.frames = frames
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """Be silent from here on."""
        self.frames.clear()
        self.end(whole=False)

    def end(self, *, whole: bool) -> None:
        """The session: it is over."""
        if not self.done.done():
            self.done.set_result(whole)


class MediaSession(asyncio.DatagramProtocol):
    """Made by :meth:`open`; begins with :meth:`start`; may be started again with other values (re-INVITE)."""

    def __init__(self) -> None:
        self.on_audio: Callable[[bytes], None] = lambda linear: None
        self.on_key: Callable[[str], None] = lambda key: None
        self.host, self.port = "", 0
        self.dropped = 0
        self.last_heard: float | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._stream: Stream | None = None
        self._source: tuple[str, int] | None = None
        self._sender: SrtpSender | None = None
        self._opener: SrtpReceiver | None = None
        self._receiver: Receiver | None = None
        self._keys = KeyReceiver()
        self._playback: Playback | None = None
        self._key_frames: deque[tuple[bytes, bool, int]] = deque()
        self._sequence = secrets.randbelow(SEQ_MOD)
        self._timestamp = secrets.randbelow(TS_MOD)
        self._ssrc = secrets.randbelow(TS_MOD)
        self._first = True

    @classmethod
    async def open(cls, host: str, ports: range = range(1)) -> "MediaSession":
        """Bind a socket on an even port of the range; ``range(0, 1)`` leaves the port to the system.

        Raises :class:`NoPort` if none is free.
        """
        loop = asyncio.get_running_loop()
        for port in _tries(ports):
            try:
                _, session = await loop.create_datagram_endpoint(cls, local_addr=(host, port))
            except OSError:
                continue
            return session
        raise NoPort(f"no UDP port of {ports.start}-{ports.stop - 1} is free on {host} for media; widen the range")

    def start(self, stream: Stream) -> None:
        """Send and hear as agreed. Starting again keeps sequence and clock, and keys that did not change."""
        before, self._stream = self._stream, stream
        if before is None or before.send_key != stream.send_key:
            self._sender = SrtpSender(stream.suite, stream.send_key) if stream.suite else None
        if before is None or before.receive_key != stream.receive_key:
            self._opener = SrtpReceiver(stream.suite, stream.receive_key) if stream.suite else None
        if before is None or (before.host, before.port) != (stream.host, stream.port):
            self._source = None
        if before is None or before.payload_type != stream.payload_type:
            self._receiver = Receiver(_STATIC[stream.payload_type])
        if before is None:
            Pacer.here().add(self._tick)

    def play(self, linear: bytes) -> Playback:
        """Play sound; what was playing stops."""
        if self._playback is not None:
            self._playback.stop()
        assert self._stream is not None, "started before something is played"
        encoded = g711.encode(linear, self._stream.payload_type)
        silence = g711.SILENCE[self._stream.payload_type]
        cuts = range(0, len(encoded), g711.FRAME)
        frames = deque(encoded[at : at + g711.FRAME].ljust(g711.FRAME, silence) for at in cuts)
        self._playback = Playback(frames)
        if not frames:
            self._playback.end(whole=True)
        return self._playback

    def send_keys(self, keys: str) -> None:
        """Press keys (``0``-``9``, ``*``, ``#``, ``A``-``D``), one after the other with pauses of 100 ms."""
        for key in keys:
            payloads = key_payloads(key)
            self._key_frames.extend((payload, marker, at) for at, (payload, marker) in enumerate(payloads))
            self._key_frames.extend([(b"", False, -1)] * 5)

    @property
    def keys_sent(self) -> bool:
        """Whether every key that was pressed has gone out."""
        return not self._key_frames

    def close(self) -> None:
        """Stop, give out what was held back, free the port."""
        Pacer.here().remove(self._tick)
        if self._receiver is not None and (rest := self._receiver.flush(asyncio.get_running_loop().time())):
            self.on_audio(rest)
        if self._playback is not None:
            self._playback.stop()
        if self._transport is not None:
            self._transport.close()
        if self._receiver is not None:
            counts = self._receiver.statistics
            event(
                _log,
                logging.DEBUG,
                "media.closed",
                received=counts.received,
                lost=counts.lost,
                late=counts.late,
                dropped=self.dropped,
            )

    # Asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the socket is bound."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own class does not say so before 3.12
        self.host, self.port = transport.get_extra_info("sockname")[:2]
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)

    def error_received(self, exc: Exception) -> None:
        """Asyncio: the peer's port is closed (ICMP); signalling decides about the call."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Asyncio: a packet came."""
        stream = self._stream
        if stream is None or is_rtcp(data):
            return
        try:
            packet = self._accepted(data, (addr[0], addr[1]), stream)
        except BadPacket:
            self.dropped += 1
            return
        assert self._receiver is not None
        now = self.last_heard = asyncio.get_running_loop().time()
        if packet.payload_type == stream.payload_type:
            kind = Kind.SOUND
        elif packet.payload_type == stream.event_type:
            if key := self._keys.receive(packet):
                self.on_key(key)
            kind = Kind.OTHER
        else:
            kind = Kind.COMFORT if packet.payload_type == comfort.PAYLOAD_TYPE else Kind.OTHER
        if sound := self._receiver.receive(packet, now, kind):
            self.on_audio(sound)

    def _accepted(self, data: bytes, source: tuple[str, int], stream: Stream) -> RtpPacket:
        if self._source is not None and source != self._source:
            raise BadPacket("another source than before")
        if self._opener is None and self._source is None and source[0] != stream.host:
            raise BadPacket("plain RTP from an address that the description does not name")
        packet = parse_rtp(self._opener.unprotect(data) if self._opener else data)
        self._source = source
        return packet

    # Sending

    def _tick(self) -> None:
        """Send one frame of 20 ms: a key, or sound, or silence."""
        stream = self._stream
        if stream is None or not stream.send:
            return
        frame = self._next_frame(stream)
        if self._key_frames:
            payload, marker, at = self._key_frames.popleft()
            if at >= 0 and stream.event_type is not None:
                # Every packet of one event carries the timestamp of its beginning (RFC 4733 §2.2.1).
                begun = (self._timestamp - at * g711.FRAME) % TS_MOD
                self._emit(stream.event_type, payload, begun, marker)
                self._timestamp = (self._timestamp + g711.FRAME) % TS_MOD
                return
        self._emit(stream.payload_type, frame, self._timestamp, self._first)
        self._first = False
        self._timestamp = (self._timestamp + g711.FRAME) % TS_MOD

    def _next_frame(self, stream: Stream) -> bytes:
        playback = self._playback
        if playback is not None and playback.frames:
            frame = playback.frames.popleft()
            if not playback.frames:
                playback.end(whole=True)
                self._playback = None
            return frame
        return g711.SILENCE[stream.payload_type] * g711.FRAME

    def _emit(self, payload_type: int, payload: bytes, timestamp: int, marker: bool) -> None:
        packet = RtpPacket(
            payload_type=payload_type,
            sequence=self._sequence,
            timestamp=timestamp,
            ssrc=self._ssrc,
            payload=payload,
            marker=marker,
        ).to_bytes()
        self._sequence = (self._sequence + 1) % SEQ_MOD
        if self._transport is not None and self._stream is not None and not self._transport.is_closing():
            # A peer behind address translation is heard at the source that proved its key.
            proven = self._source if self._opener is not None else None
            data = self._sender.protect(packet) if self._sender else packet
            self._transport.sendto(data, proven or (self._stream.host, self._stream.port))


def _tries(ports: range) -> list[int]:
    if ports == range(1):
        return [0]
    even = [port for port in ports if port % 2 == 0]
    start = secrets.randbelow(len(even)) if even else 0
    return even[start:] + even[:start]
