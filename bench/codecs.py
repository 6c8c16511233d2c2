"""What codecs, SRTP and keys in the sound cost: ``.venv/bin/python bench/codecs.py``; medians of five runs on one core.

Milliseconds of CPU for a second of speech (of 1,000, a core's worth), microseconds for a packet of 20 ms.
"""

import struct
import time
from collections.abc import Callable
from importlib import resources
from statistics import median

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tandem.media.codec.inband import ToneReceiver
from tandem.media.codec.table import CODECS
from tandem.media.codec.wav import read_wav
from tandem.media.rtp.receiver import Receiver
from tandem.media.rtp.reports import Reporter, SendingState
from tandem.media.rtp.srtp import SUITES, SrtpReceiver, SrtpSender

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
    print(f"\nkeys in the sound: {tones:.2f} ms/s of speech, {quiet:.2f} of silence; a report: {1000 * report:.1f} us")


if __name__ == "__main__":
    codecs()
    srtp()
    others()
