"""One audio stream, sans-IO: bytes of datagrams in, sound and events out; each 20 ms one datagram to send.

The core of both drivers. RTP flows without a pause in both directions, so that the peer sees a living stream. Packets are
heard from one source at a time: for SRTP who proves the key, for plain RTP the host that the peer's description names
(docs/protocols/media.md, "From where"). Everything else is counted and dropped. The two halves are
:mod:`tandem.media.receiving` and :mod:`tandem.media.sending`; this joins them with RTCP, which tells of both.
"""

from collections.abc import Sequence

from tandem.media.bridge import BridgeSide, Send, StreamBridge
from tandem.media.codec.frames import FrameCache
from tandem.media.events import StreamEvent
from tandem.media.playing import PlaybackSource, SoundSource
from tandem.media.receiving import Address, AudioReceiver
from tandem.media.rtp.quality import CallQuality
from tandem.media.rtp.receiver import Statistics
from tandem.media.rtp.reports import Reporter
from tandem.media.sending import AudioSender
from tandem.media.session import Sound, Stream

NOWHERE = ("0.0.0.0", "::")  # noqa: S104 - a peer's way to hold, by RFC 2543; the kernel would send to ourselves
UNANSWERED_S = 30.0
"""Seconds for which plain RTP goes to an address that sends nothing: it may have been named by who wants it flooded."""


class AudioStream:
    """Feed :attr:`receive`, call :attr:`tick` each 20 ms, and :meth:`take_events` after either."""

    __slots__ = ("_frames", "_reporter", "_since", "bridge", "events", "receive", "receiving", "sending", "tick")

    def __init__(self, frames: FrameCache) -> None:
        self.events: list[StreamEvent] = []
        self.sending = AudioSender(self.events)
        self._reporter = Reporter(self.sending.ssrc, self.sending.state.sequence)
        self.receiving = AudioReceiver(self.events, self._reporter)
        self.tick = self.sending.tick
        """See :meth:`AudioSender.tick`."""
        self.receive = self.receiving.receive
        """See :meth:`AudioReceiver.receive`."""
        self._frames = frames
        self._since: float | None = None  # when this was first asked for a report since the peer's address is this one
        self.bridge: StreamBridge | None = None
        """What joins this stream with another."""

    @property
    def stream(self) -> Stream | None:
        """What was agreed on last."""
        return self.sending.stream

    @property
    def source(self) -> Address | None:
        """Where the peer sends from, once that is known."""
        return self.receiving.source

    @property
    def dropped(self) -> int:
        """Datagrams that were not the peer's, or not RTP."""
        return self.receiving.dropped

    @property
    def listening(self) -> bool:
        """Whether sound is kept for :meth:`take_sound`."""
        return self.receiving.listening

    @listening.setter
    def listening(self, listening: bool) -> None:
        self.receiving.listening = listening

    @property
    def last_heard(self) -> float | None:
        """When the peer's last packet came."""
        return self.receiving.last_heard

    @property
    def held(self) -> bool:
        """Whether one side holds the other."""
        return self.stream is not None and self.stream.held

    @property
    def dtmf_sent(self) -> bool:
        """Whether every digit has gone out."""
        return self.sending.dtmf_sent

    @property
    def statistics(self) -> Statistics:
        """Counts of what was received."""
        self.receiving.report()
        return self.receiving.receiver.statistics

    @property
    def target(self) -> Address:
        """Where datagrams go: a peer behind address translation is heard where it proved its key."""
        assert self.stream is not None, "started"
        return self.receiving.proven or (self.stream.host, self.stream.port)

    @property
    def summary(self) -> CallQuality:
        """How the stream went, so far."""
        self.receiving.report()
        return self._reporter.summary(self.receiving.receiver, dropped=self.dropped)

    def start(self, stream: Stream) -> None:
        """Begin, or go on with a new agreement."""
        self.receiving.start(stream)
        if not self.receiving.answered:
            self._since = None
        self.sending.start(stream)
        if self.bridge is not None:
            self.bridge.settle()

    def take_events(self) -> list[StreamEvent]:
        """What happened since the last time."""
        events = self.events[:]
        self.events.clear()
        return events

    def receive_from(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that anybody may have sent."""
        self.receiving.receive_from(data, source, now)

    def take_sound(self, now: float) -> bytes:
        """The linear sound since the last time, as far as it is complete; none unless :attr:`listening`."""
        return self.receiving.take_sound(now)

    def finish(self, now: float) -> bytes:
        """The end of receiving: the sound since the last time, with all that was held back for what may have come."""
        return self.receiving.finish(now)

    def play(self, sounds: Sequence[Sound]) -> None:
        """Play sounds from now on instead of what is playing; none is silence. The end is told by ``Played``."""
        self.sending.play(SoundSource(sounds, self._frames) if sounds else None)

    def play_source(self, source: PlaybackSource) -> None:
        """The same for a file."""
        self.sending.play(source)

    def send_dtmf(self, digits: str) -> None:
        """Send DTMF digits, one after the other with pauses of 100 ms; as tones if the peer knows no events."""
        self.sending.send_dtmf(digits)

    def side(self, send: Send) -> BridgeSide:
        """This stream as a side of a bridge; ``send`` sends a datagram to the peer."""
        return BridgeSide(receiver=self.receiving, sender=self.sending, send=send)

    # Control (RTCP)

    @property
    def control_target(self) -> Address:
        """Where reports go."""
        assert self.stream is not None, "started"
        return self.stream.rtcp or self.target

    def control(self, now: float, *, goodbye: bool = False) -> bytes | None:
        """The report that is due now, or the last one; ask each second. Sending pauses while nobody answers RTP."""
        if self.stream is None or self.stream.host in NOWHERE:
            return None
        self._since = now if self._since is None else self._since
        alone = not (self.receiving.answered or self.stream.suite) and now - self._since >= UNANSWERED_S
        self.sending.pause(alone)
        if alone or not (self._reporter.due(now) or goodbye):
            return None
        self.receiving.report()
        data = self._reporter.report(now, self.receiving.receiver, self.sending.state, goodbye=goodbye)
        return self.sending.protect_control(data)

    def receive_control(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram from the port beside: of the host that is heard, or that proves the key."""
        if self.stream is None:
            return
        known = self.source or (self.stream.host, self.stream.port)
        secure = bool(self.stream.suite)
        if not secure and source[0] not in (known[0], self.control_target[0]):
            self.receiving.dropped += 1
        else:
            self.receiving.take_control(data, now)
