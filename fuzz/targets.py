"""What must hold for whatever comes off the wire. Each target is a function of bytes; :mod:`run` feeds it by atheris.

Only a room's documented errors may be raised; what was read and written is read the same; a stream gives the same messages
however it is cut; a recording is no longer than time; no input costs more CPU than :data:`MOST_S`. Every finding becomes a
file in ``tests/vectors/fuzz/TARGET/``, which ``tests/sip/test_sip_fuzz.py`` keeps from coming back.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from tandem.media.bridge import StreamBridge
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.table import CODECS as MEDIA_CODECS
from tandem.media.errors import BadPacket
from tandem.media.rtp.packet import parse_rtp
from tandem.media.rtp.receiver import MAX_GAP_S, SLACK_S, Receiver
from tandem.media.rtp.rtcp import parse_rtcp
from tandem.media.rtp.srtp import SUITES as SRTP_SUITES
from tandem.media.rtp.srtp import SrtpReceiver
from tandem.media.session import Stream
from tandem.media.stream import AudioStream
from tandem.ops.trace.mask import mask
from tandem.org.numbers import line_key
from tandem.sip.errors import DialogError, IllegalHeader, IncompatibleMedia, MalformedMessage, SdpError
from tandem.sip.headers import digest, dtmf, fields, history, identity, mwi, refer, replaces
from tandem.sip.headers.auth import MAX_LENGTH, digest_parameters
from tandem.sip.headers.diversion import diversions
from tandem.sip.headers.params import tokens, with_parameters
from tandem.sip.headers.uri import parse_uri
from tandem.sip.headers.via import top_via, vias
from tandem.sip.machines import reliable, retry, sessiontimer, subscription, uas
from tandem.sip.machines.dialog import Dialog
from tandem.sip.message.body import description_of
from tandem.sip.message.framing import KeepAlive, StreamFramer
from tandem.sip.message.grammar import quoted
from tandem.sip.message.message import Headers, Message, Request, Response, response_to
from tandem.sip.message.parse import parse_message
from tandem.sip.message.salvage import answer_to_unreadable
from tandem.sip.sdp.description import build_sdp, parse_sdp
from tandem.sip.sdp.offer import Encryption, MediaTerms, answer_audio
from tandem.sip.sdp.sdes import Crypto, parse_crypto

ABLE = uas.Abilities(methods=("INVITE", "OPTIONS", "REGISTER"), extensions=frozenset({"timer", "100rel"}))
Reader = Callable[[], object]
MOST_S = 0.05
"""What an input may cost: seconds of CPU."""
RERUNS = 3


def message(data: bytes) -> None:
    """A datagram: read, asked for everything, written and read again; or refused, and the refusal answered."""
    try:
        read = parse_message(data)
    except MalformedMessage as error:
        answer_to_unreadable(data, error.status)
        return
    _ask(read)
    written = read.to_bytes()
    try:
        again = parse_message(written)
    except MalformedMessage as error:
        assert error.status == 413, error  # the Content-Length that we add may be one line, or one byte, too many
        return
    assert again.to_bytes() == written
    assert (again.body, fields.call_id(again), fields.cseq(again)) == (
        read.body,
        fields.call_id(read),
        fields.cseq(read),
    )
    assert (top_via(again), fields.from_tag(again), fields.to_tag(again)) == (
        top_via(read),
        fields.from_tag(read),
        fields.to_tag(read),
    )


_NAMES = (  # noqa: SIM905 - words are read more easily than quotes
    "Accept Authorization Call-ID Contact Content-Disposition Content-Encoding Content-Type CSeq "
    "Diversion Event Expires From History-Info Max-Forwards Min-SE P-Asserted-Identity Path Privacy "
    "Proxy-Authenticate RAck Record-Route Refer-To Referred-By Replaces Require Retry-After Route RSeq "
    "Session-Expires Subscription-State Supported To Via WWW-Authenticate"
).split(" ")


def headers(data: bytes) -> None:
    """Header values, a name from each first byte, in a request and a response that are otherwise empty."""
    text = data.decode("utf-8", "surrogateescape").split("\n")
    values = [(_NAMES[ord(line[0]) % len(_NAMES)], line[1:]) for line in text if line]
    made = Headers()
    for name, value in values:
        with contextlib.suppress(IllegalHeader):
            made.add(name, value)
    method, uri = ("REFER", values[0][1]) if values else ("INVITE", "sip:x")
    _ask(Request(method=method, uri=uri, headers=made, body=data[:64]))
    _ask(Response(status=200, headers=made.copy(), body=data))
    for _, value in values:
        _ask_text(value)


def auth(data: bytes) -> None:
    """Values of digest headers, one a line: read or refused; a challenge that is answered gives credentials that are read."""
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        with contextlib.suppress(MalformedMessage):
            read = digest_parameters(line)
            written = ", ".join(f"{name}={quoted(value)}" for name, value in read.items())
            assert not all(map(str.isprintable, read.values())) or digest_parameters(f"Digest {written}") == read
        with contextlib.suppress(MalformedMessage):
            digest.parse_credentials(line).is_for("sip:x")
        digest.is_stale(line)
        answer = digest.answer([line], username="u", secret="s", method="INVITE", uri="sip:x", cnonce="c")
        if answer is not None and len(answer) <= MAX_LENGTH and '""' not in answer:
            assert digest.parse_credentials(answer).username == "u"


def masked(data: bytes) -> None:
    """What a trace keeps of a message: as long as it was, and masked once is masked for good."""
    kept = mask(data)
    assert len(kept) == len(data)
    assert mask(kept) == kept


def framing(data: bytes) -> None:
    """A stream, whole and cut at places that its first bytes give: the same items, and the same end."""
    cuts, stream = data[:16], data[16:]
    whole = _framed([stream])
    sizes = itertools.cycle([1 + each for each in cuts] or [1])
    pieces, at = [], 0
    while at < len(stream):
        size = next(sizes)
        pieces.append(stream[at : at + size])
        at += size
    assert _framed(pieces) == whole
    for item in whole:
        if isinstance(item, bytes):
            message(item)


def sdp(data: bytes) -> None:
    """A description: read, and answered under each policy; the answer can be read."""
    try:
        offer = parse_sdp(data)
    except SdpError:
        return
    for encryption in Encryption:
        try:
            ours, _ = answer_audio(
                offer, MediaTerms(encryption=encryption), host="192.0.2.1", port=40_000, new_key=bytes
            )
        except IncompatibleMedia:
            continue
        answer = parse_sdp(build_sdp(ours, session_id="1"))
        assert len(answer.media_lines) == len(offer.media_lines)
        assert answer.audio is not None and answer.audio.formats[:1] == ours.formats[:1]
        assert encryption is not Encryption.REQUIRE or answer.audio.cryptos  # under RTP/AVP, too: RFC 8643


def sdes(data: bytes) -> None:
    """A crypto attribute: a key that fits its suite, or a reason."""
    read = parse_crypto(data.decode("utf-8", "surrogateescape"))
    if isinstance(read, Crypto):
        assert len(read.key) == SRTP_SUITES[read.suite].key_bytes
        assert parse_crypto(read.line()) == read


def rtp(data: bytes) -> None:
    """Datagrams (a length byte before each) into a stream and a receiver, 20 ms apart: no error, no more sound than time.

    The stream is bridged with two others, one after the other: of the same codec with SRTP, and of another codec.
    """
    stream = AudioStream(FrameCache())
    secure, other = AudioStream(FrameCache()), AudioStream(FrameCache())
    key = bytes(range(30))
    told = Stream(host="192.0.2.2", port=4000, codec="PCMU", payload_type=0, event_type=110)
    secure.start(replace(told, suite="AES_CM_128_HMAC_SHA1_80", send_key=key, receive_key=key))
    other.start(replace(told, codec="PCMA", payload_type=8, event_clock=48_000))
    passed: list[bytes] = []
    stream.listening = True
    stream.start(Stream(host="192.0.2.1", port=4000, codec="PCMU", payload_type=0, event_type=101, tones=True))
    receiver, samples, now = Receiver(MEDIA_CODECS["PCMU"]), 0, 0.0
    bridge = StreamBridge(stream.side(passed.append), secure.side(passed.append))
    for number, packet in enumerate(_packets(data)):
        now += 0.02
        if number == 20:
            bridge.end()
            bridge = StreamBridge(stream.side(passed.append), other.side(passed.append))
        for side in (secure, other):
            side.tick()
        stream.receive_from(packet, ("192.0.2.1", 4000), now)
        stream.receive_control(packet, ("192.0.2.1", 4001), now)
        with contextlib.suppress(BadPacket):
            parse_rtcp(packet)
        with contextlib.suppress(BadPacket):
            read = parse_rtp(packet)
            assert parse_rtp(read.to_bytes()) == read
            samples += len(receiver.receive(read, now)) // 2
    samples += len(receiver.flush(now)) // 2
    heard = len(stream.finish(now)) // 2
    assert max(samples, heard) <= 8000 * (now + SLACK_S + MAX_GAP_S), (samples, heard, now)
    stream.control(now, goodbye=True)
    assert all(len(each) >= 12 for each in passed)
    bridge.end()


def srtp(data: bytes) -> None:
    """Datagrams into a receiver with a key that nobody knows: none gets through."""
    for suite, kind in SRTP_SUITES.items():
        receiver = SrtpReceiver(suite, bytes(range(kind.key_bytes)))
        for open_ in (receiver.unprotect, receiver.unprotect_rtcp):
            try:
                open_(data)
            except BadPacket:
                continue
            raise AssertionError(f"a forged packet was taken by {suite}")


class TooSlow(Exception):
    """An input takes too much CPU, again and again."""


def in_time(target: Callable[[bytes], None], plain: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target, which now also fails when an input costs too much CPU; ``plain`` is the same without a fuzzer's probes."""

    def run(data: bytes) -> None:
        took = _cpu_s(target, data)
        for _ in range(RERUNS):
            if took <= MOST_S:
                return
            took = min(took, _cpu_s(plain, data))
        if took > MOST_S:
            most = f"at most {1000 * MOST_S:.0f} ms are allowed"
            raise TooSlow(f"{len(data)} bytes take {1000 * took:.0f} ms of CPU each time; {most}")

    return run


def _cpu_s(target: Callable[[bytes], None], data: bytes) -> float:
    begun = time.thread_time()
    target(data)
    return time.thread_time() - begun


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (message, headers, auth, masked, framing, sdp, sdes, rtp, srtp)
}


def _ask(read: Message) -> None:
    """Everything that anybody asks of a message; only errors that carry a status may come of it."""
    lines = read.headers.all
    dialog = Request(method="INVITE", uri="sip:x", headers=Headers([("CSeq", "1 INVITE"), ("Call-ID", "1")]))
    asked: list[Reader] = [
        lambda: history.diverted(read),
        lambda: identity.asserted(read),
        lambda: subscription.event_of(read),
        lambda: subscription.told(read.headers),
        lambda: fields.from_(read),
        lambda: fields.to(read),
        lambda: fields.contact(read),
        lambda: fields.contact_uri(read),
        lambda: fields.cseq(read),
        lambda: vias(read),
        lambda: fields.recorded_routes(read),
        lambda: fields.name_addrs(lines("Contact")),
        lambda: fields.number(read.headers.get("Expires"), default=0),
        lambda: diversions(read),
        lambda: description_of(read),
        lambda: tokens(lines("Supported")),
    ]
    if isinstance(read, Request):
        asked += [
            lambda: fields.routes(read),
            lambda: parse_uri(read.uri),
            lambda: uas.refusal(read, ABLE),
            lambda: refer.parse_refer(read),
            lambda: refer.event_id(read),
            lambda: Dialog.from_uas(read, local_tag="t").request("BYE").to_bytes(),
            lambda: response_to(read, 200, to_tag="t").to_bytes(),
            lambda: replaces.replaces(read),
            lambda: dtmf.read_dtmf(read),
            lambda: line_key(parse_uri(read.uri).user or ""),
            lambda: sessiontimer.grant(read),
        ]
    else:
        asked += [
            lambda: sessiontimer.granted(read),
            lambda: retry.contacts_by_preference(read),
            lambda: retry.retry_after_s(read),
            lambda: Dialog.from_uac(dialog, read).request("BYE").to_bytes(),
            lambda: reliable.is_reliable(read),
        ]
    for each in asked:
        with contextlib.suppress(MalformedMessage, DialogError):
            each()
    digest.answer(
        lines("WWW-Authenticate") + lines("Proxy-Authenticate"),
        username="u",
        secret="s",
        method="INVITE",
        uri="x",
        cnonce="c",
    )


def _ask_text(text: str) -> None:
    with contextlib.suppress(MalformedMessage):
        uri = parse_uri(text)
        assert parse_uri(str(uri)) == uri
    readers: Iterable[Callable[[str], object]] = (
        fields.parse_address,
        fields.split_list,
        with_parameters,
        reliable.parse_rack,
        digest.parse_credentials,
        lambda value: mwi.parse_summary(value.encode("utf-8", "surrogateescape")),
        lambda value: refer.parse_fragment(value.encode("utf-8", "surrogateescape")),
    )
    for reader in readers:
        with contextlib.suppress(MalformedMessage):
            reader(text)


def _framed(pieces: Iterable[bytes]) -> list[bytes | KeepAlive | None]:
    """The items of a stream, each keep-alive by itself; ``None`` at the end if framing was lost."""
    framer, out = StreamFramer(), list[bytes | KeepAlive | None]()
    try:
        for piece in pieces:
            for item in framer.feed(piece):
                out += [KeepAlive()] * item.pairs if isinstance(item, KeepAlive) else [item]
    except MalformedMessage:
        out.append(None)
    return out


def _packets(data: bytes) -> Iterable[bytes]:
    at = 0
    while at < len(data):
        size = data[at]
        yield data[at + 1 : at + 1 + size]
        at += 1 + size
