"""What codecs, SRTP, DTMF in the sound, bridges and files cost: ``.venv/bin/python bench/codecs.py``; medians of five runs.

Milliseconds of CPU for a second of speech (of 1,000, a core's worth), microseconds for a packet of 20 ms.
"""

import struct
import time
from collections.abc import Callable
from importlib import resources
from statistics import median

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tandem.media.bridge import StreamBridge
from tandem.media.codec.frames import FrameCache
from tandem.media.codec.inband import ToneReceiver
from tandem.media.codec.table import CODECS
from tandem.media.codec.wav import read_wav
from tandem.media.playing import FileSource
from tandem.media.rtp.receiver import Receiver
from tandem.media.rtp.reports import Reporter, SendingState
from tandem.media.rtp.srtp import SUITES, SrtpReceiver, SrtpSender
from tandem.media.session import SPEEDS, Stream
from tandem.media.stream import AudioStream

SPEECH = read_wav((resources.files("tandem.speech.samples") / "bob-message.wav").read_bytes())
SECONDS = len(SPEECH) / 16_000
RTP = [struct.pack("!BBHII", 0x80, 0, n, 160 * n, 7) + bytes(160) for n in range(20_000)]


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU, the median of five."""
    taken = []
    for _ in range(5):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return median(taken)


def codecs() -> None:
    print(f"{'codec':26}{'encode ms/s':>14}{'decode ms/s':>14}")
    for name, codec in CODECS.items():
        payloads = codec.frames(SPEECH)
        decoded = cpu(lambda codec=codec, payloads=payloads: list(map(codec.decoder().decode, payloads)))
        encoded = cpu(lambda codec=codec: codec.frames(SPEECH))
        print(f"{name:26}{1000 * encoded / SECONDS:14.2f}{1000 * decoded / SECONDS:14.2f}")


def srtp() -> None:
    print(f"\n{'suite':26}{'protect us':>14}{'open us':>14}")
    for name, suite in SUITES.items():
        key = bytes(range(suite.key_bytes))
        protected: list[bytes] = []

        def protect(name: str = name, key: bytes = key, protected: list[bytes] = protected) -> None:
            sender = SrtpSender(name, key)
            protected[:] = [sender.protect(packet) for packet in RTP]

        def unprotect(name: str = name, key: bytes = key, protected: list[bytes] = protected) -> None:
            receiver = SrtpReceiver(name, key)
            for packet in protected:
                receiver.unprotect(packet)

        print(f"{name:26}{1e6 * cpu(protect) / len(RTP):14.2f}{1e6 * cpu(unprotect) / len(RTP):14.2f}")
    for bits in (256, 128):
        print(f"{f'cryptography, GCM {bits}':26}{1e6 * cpu(lambda bits=bits: _gcm(bits)) / len(RTP):14.2f}{'':>14}")


def _gcm(bits: int) -> None:
    """The same by ``cryptography``: the nonce of RFC 7714 and the cipher, without the window for replays."""
    cipher, salt = AESGCM(bytes(bits // 8)), 0x0102030405060708090A0B0C
    for number, packet in enumerate(RTP):
        nonce = (salt ^ (7 << 48 | number)).to_bytes(12, "big")
        packet[:12] + cipher.encrypt(nonce, packet[12:], packet[:12])


def others() -> None:
    tones = 1000 * cpu(lambda: ToneReceiver().feed(SPEECH)) / SECONDS
    quiet = 1000 * cpu(lambda: ToneReceiver().feed(bytes(len(SPEECH)))) / SECONDS
    reporter, receiver = Reporter(1, 0), Receiver(CODECS["PCMU"])
    sent = SendingState(sequence=0, timestamp=0, octets=0)
    report = cpu(lambda: [reporter.report(1.0, receiver, sent) for _ in range(1000)])
    print(f"\nDTMF in the sound: {tones:.2f} ms/s of speech, {quiet:.2f} of silence; a report: {1000 * report:.1f} us")


def stream(codec: str, suite: str) -> Stream:
    key = bytes(range(SUITES[suite].key_bytes)) if suite else b""
    kind = CODECS[codec].payload_type
    return Stream(host="192.0.2.1", port=9, codec=codec, payload_type=kind, suite=suite, send_key=key, receive_key=key)


def bridges() -> None:
    """A packet of 20 ms, received by one side and sent by the other, without the kernel's part."""
    print(f"\n{'bridge':40}{'us a packet':>14}")
    plain, secure = "", "AES_CM_128_HMAC_SHA1_80"
    kinds = [(("PCMU", a), ("PCMU", b)) for a, b in ((plain, plain), (secure, plain), (secure, secure))]
    kinds += [(("PCMU", plain), (codec, plain)) for codec in ("PCMA", "G722", "opus")]
    for here, there in kinds:
        peer, one, other = (AudioStream(FrameCache()) for _ in range(3))
        peer.start(stream(*here))
        one.start(stream(*here))
        other.start(stream(*there))
        StreamBridge(one.side(lambda data: None), other.side(lambda data: None))
        packets, tick, receive = [peer.tick() or b"" for _ in range(5000)], other.tick, one.receive
        begun = time.process_time()
        for number, packet in enumerate(packets):
            receive(packet, number * 0.02)
            tick()
        taken = time.process_time() - begun
        print(f"{' '.join(here):18} to {' '.join(there):18}{1e6 * taken / len(packets):14.2f}")


def files() -> None:
    """A frame of 20 ms of a file, at each speed, encoded as G.711."""
    print(f"\n{'file at speed':26}{'us a frame':>14}")
    for speed in SPEEDS:

        def play(speed: float = speed) -> int:
            source = FileSource(lambda offset, size: SPEECH[offset : offset + size], len(SPEECH), speed=speed)
            return sum(1 for _ in source.payloads("PCMU", 0))

        print(f"{speed:<26g}{1e6 * cpu(play) / play():14.2f}")


if __name__ == "__main__":
    codecs()
    srtp()
    others()
    bridges()
    files()
