#!/usr/bin/env python3
"""Feeds one target (see :mod:`targets`) by atheris, for so many seconds: ``python fuzz/run.py TARGET SECONDS``.

It begins with the vectors of the tests and with examples, keeps what it learns in ``fuzz/corpus/TARGET`` (not in git), and
writes what broke an invariant to ``fuzz/findings/``; the exit code is then not 0. An invariant of every target is that an
input costs at most 50 ms of CPU: what took longer is run again, by code without atheris' probes, and is a finding if it is
as slow each time.
"""

import os
import struct
import sys
from pathlib import Path

import atheris
import targets as plain

HERE = Path(__file__).parent
VECTORS = HERE.parent / "tests" / "vectors"
LONGEST = {"framing": 2_048, "rtp": 2_048}
"""Bytes of an input, where each is many things to read (pieces of a stream, datagrams); 8,192 elsewhere."""

for name in [each for each in sys.modules if each.partition(".")[0] in ("tandem", "targets")]:
    del sys.modules[name]
with atheris.instrument_imports(include=["tandem", "targets"]):
    from targets import TARGETS, in_time


def examples(target: str) -> list[bytes]:
    """What to begin with."""
    messages = [path.read_bytes() for path in sorted((VECTORS / "sip").rglob("*.sip"))]
    bodies = [body for each in messages if (body := each.partition(b"\r\n\r\n")[2]).startswith(b"v=0")]
    rtp = [
        struct.pack("!BBHII", 0x80, 0x80, 1, 160, 7) + bytes(160),
        struct.pack("!BBHII", 0x80, 0, 2, 320, 7) + bytes(160),
        struct.pack("!BBHII", 0x80, 101, 3, 480, 7) + struct.pack("!BBH", 5, 0x8A, 800),
        struct.pack("!BBHIIIIIIIIII", 0x81, 200, 12, 7, 1, 2, 3, 4, 5, 8, 9, 10, 11),
    ]
    keys = "".join(f"a=crypto:1 {suite} inline:{'A' * 40}\r\n" for suite in ("AES_CM_128_HMAC_SHA1_80",))
    savp = bodies[0].replace(b"RTP/AVP", b"RTP/SAVP") + keys.encode()
    return {
        "message": messages,
        "headers": [b"\n".join(each.split(b"\r\n")) for each in messages],
        "auth": [b"\n".join(AUTH)],
        "masked": messages,
        "framing": [bytes(range(16)) + each for each in messages],
        "sdp": [*bodies, savp],
        "sdes": [keys[len("a=crypto:") :].encode(), b"1 AEAD_AES_128_GCM inline:AAAA|2^20|1:4 KDR=1"],
        "rtp": [b"".join(bytes([len(each)]) + each for each in rtp * 3)],
        "srtp": rtp,
    }[target]


AUTH = (
    b'Digest username="bob", realm="x", nonce="n", uri="sip:x", response="ab", algorithm=MD5, cnonce="c", qop=auth, nc=1',
    b'Digest realm="a\\", b",nonce="n", qop="auth,auth-int", algorithm=SHA-256 ,, stale=TRUE, opaque=""',
    b"Digest " + b'a="b",' * 40,
)


def main() -> None:
    """The command line."""
    target, seconds = sys.argv[1], int(sys.argv[2])
    corpus, findings = HERE / "corpus" / target, HERE / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(examples(target)):
        (corpus / f"example-{number}").write_bytes(each)
    known = VECTORS / "fuzz" / target
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={findings}/{target}-",
        f"-max_len={LONGEST.get(target, 8_192)}",
        "-timeout=10",
    ]
    inputs = [str(corpus), *([str(known)] if known.exists() else [])]
    atheris.Setup([sys.argv[0], *options, *inputs], in_time(TARGETS[target], plain.TARGETS[target]))
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
