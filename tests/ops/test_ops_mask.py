"""What may never be on disk: each secret in every spelling that reaches us."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.ops.trace.mask import mask

KEY = b"WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
PROOF = b"6629fae49393a05397450978507c4ef1"


def request(method: bytes, headers: bytes = b"", body: bytes = b"") -> bytes:
    return (
        method + b" sip:4101@example.com SIP/2.0\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK1\r\nCall-ID: c@x\r\n"
        b"CSeq: 1 " + method + b"\r\n" + headers + b"\r\n" + body
    )


SECRETS = {
    "the key of SRTP": (request(b"INVITE", body=b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + KEY + b"|2^20|1:4\r\n"), KEY),
    "the second of two keys": (
        request(b"INVITE", body=b"a=crypto:1 X inline:a|1;inline:" + KEY + b"\r\n"),
        KEY,
    ),
    "a key in odd spelling": (request(b"INVITE", body=b"A=Crypto:1 X INLINE : " + KEY + b"\n"), KEY),
    "the old key of SDP": (request(b"INVITE", body=b"v=0\r\nk=base64:" + KEY + b"\r\n"), KEY),
    "MIKEY": (request(b"INVITE", body=b"a=key-mgmt:mikey " + KEY + b"\r\n"), KEY),
    "digest": (request(b"REGISTER", b'Authorization: Digest username="bob", response="' + PROOF + b'"\r\n'), PROOF),
    "digest without quotes": (request(b"REGISTER", b"authorization:DIGEST response = " + PROOF + b",nc=1\r\n"), PROOF),
    "digest in a folded line": (
        request(b"INVITE", b'Proxy-Authorization: Digest username="bob",\r\n\tresponse="' + PROOF + b'"\r\n'),
        PROOF,
    ),
    "digest with an escaped quote": (
        request(b"INVITE", b'Authorization: Digest realm="a\\", b", response="' + PROOF + b'"\r\n'),
        PROOF,
    ),
    "digest with a quote too many": (request(b"INVITE", b'Authorization: Digest response="' + PROOF + b"\r\n"), PROOF),
    "cnonce": (request(b"INVITE", b'Authorization: Digest cnonce="' + PROOF + b'"\r\n'), PROOF),
    "basic": (request(b"INVITE", b"Authorization: Basic Ym9iOnNlY3JldA==\r\n"), b"Ym9iOnNlY3JldA"),
    "a bearer's token": (request(b"INVITE", b"Authorization: Bearer abc.def\r\n"), b"abc.def"),
    "digest under a mangled name": (
        request(b"REGISTER", b'Authorizationurn: Digest username="bob", response="' + PROOF + b'"\r\n'),
        PROOF,
    ),
    "digest under another name": (request(b"REGISTER", b'Autorization: Digest a="b",Response="' + PROOF + b'"\r\n'), PROOF),
    "digest under no name": (request(b"REGISTER", b"Digest a=b,response=" + PROOF + b",nc=1\r\n"), PROOF),
    "basic under a mangled name": (request(b"INVITE", b"Authorization x: Basic Ym9iOnNlY3JldA==\r\n"), b"Ym9iOnNlY3JldA"),
    "the server's proof": (request(b"INVITE", b'Authentication-Info: qop=auth, rspauth="' + PROOF + b'"\r\n'), PROOF),
    "a header within a folded line": (request(b"INVITE", b"Subject: x\r\n Authorization: Digest response=" + PROOF), PROOF),
    "lines that end in CR alone": (b"INVITE sip:x SIP/2.0\rAuthorization: Digest response=" + PROOF + b"\r\r", PROOF),
    "a password in a URI": (request(b"INVITE", b"Contact: <sip:bob:hunter2@example.com>\r\n"), b"hunter2"),
    "digits of a relay": (request(b"INFO", b"Content-Type: application/dtmf-relay\r\n", b"Signal=8271\r\n"), b"8271"),
    "digits in an odd request": (request(b"INVITE", b"c: application/DTMF-relay\r\n", b"Signal=8271\r\n"), b"8271"),
    "digits in one of several parts": (
        request(b"INVITE", b"Content-Type: multipart/mixed\r\n", b"--b\r\nContent-Type: application/dtmf\r\n\r\n8271"),
        b"8271",
    ),
    "digits alone": (request(b"INFO", b"Content-Type: application/dtmf\r\n", b"8271"), b"8271"),
    "digits of a small info": (b"info sip:x SIP/2.0\n\nSignal=8271\n", b"8271"),
    "digits of an INFO without end": (b"\r\nINFO sip:x SIP/2.0\r\nSignal=8271", b"8271"),
    "words of a MESSAGE": (request(b"MESSAGE", b"", b"my PIN is 8271"), b"8271"),
    "KPML": (request(b"NOTIFY", b"Event: kpml\r\n", b'<kpml-response code="200" digits="8271"/>'), b"8271"),
    "telephone-event": (request(b"NOTIFY", b"Event: telephone-event\r\n", b"8271"), b"8271"),
    "digits after the answer": (request(b"INVITE", b"To: <sip:+1;postd=8271@example.com>\r\n"), b"8271"),
}  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_is_masked_and_nothing_is_longer_or_shorter(name: str) -> None:
    message, secret = SECRETS[name]
    assert secret in message
    masked = mask(message)
    assert secret not in masked
    assert len(masked) == len(message)
    assert masked.lstrip().split(b" ")[0] == message.lstrip().split(b" ")[0]


@given(
    st.sampled_from(sorted(SECRETS)), st.integers(0, 2**32), st.binary(max_size=40), st.integers(1, 400)
)  # an @ makes what is before it a password
def test_is_masked_in_any_case_and_next_to_anything(name: str, cases: int, noise: bytes, cut: int) -> None:
    message, secret = SECRETS[name]
    before, _, after = message.partition(secret)
    swapped = bytes(
        byte ^ 0x20 if chr(byte).isalpha() and cases >> (at % 32) & 1 and byte < 128 else byte
        for at, byte in enumerate(before)
    )
    masked = mask(swapped + secret + after[:cut] + noise)
    assert secret not in masked
    assert len(masked) == len(swapped + secret + after[:cut] + noise)


def test_what_is_no_secret_stays_as_it_was() -> None:
    plain = request(
        b"INVITE",
        b'Authorization: Digest username="bob", realm="example.com", nonce="n", uri="sip:x", algorithm=MD5, qop=auth\r\n'
        b"Contact: <sip:bob@127.0.0.1:5061;transport=tls>\r\nRoute: <sip:pool1.example.com:5061;lr>\r\n",
        b"v=0\r\nm=audio 4000 RTP/SAVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
    )
    assert mask(plain) == plain
    notify = request(b"NOTIFY", b"Event: message-summary\r\n", b"Messages-Waiting: yes\r\n")
    assert mask(notify) == notify


@given(st.binary(max_size=600))
def test_whatever_comes_is_masked_twice_as_once(data: bytes) -> None:
    assert mask(mask(data)) == mask(data)


@pytest.mark.parametrize(
    "piece",
    [
        b"sip:",
        b"sip:a:b",
        b"a",
        b"a=",
        b'"',
        b'\\"',
        b"Authorization:",
        b"\r\n ",
        b"\r\n\tk",
        b"inline:",
        b"digits='",
        b'response="',
        b'response=\\"',
        b"authorization",
        b",",
        b"\n\n",
    ],
)
def test_no_hostile_message_costs_more_than_its_length(piece: bytes) -> None:
    hostile = (b"INVITE sip:x SIP/2.0\r\nAuthorization: Digest " + piece * 16_384)[:16_384]
    begun = time.process_time()
    mask(hostile)
    assert time.process_time() - begun < 0.5  # a quadratic rule takes many seconds


def test_the_rules_know_no_position_but_their_own() -> None:
    assert not re.search(rb"[0-9]", mask(b"INFO sip:x SIP/2.0\r\n\r\n1234567890*#ABCD").partition(b"\r\n\r\n")[2])
