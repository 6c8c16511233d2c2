"""SRTP and SRTCP in every suite; what is forged, replayed or no packet at all."""

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.media.errors import BadPacket
from tandem.media.rtp.srtp import SUITES, SrtpReceiver, SrtpSender
from tandem.sip.sdp import sdes

RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 7)


def rtp(sequence: int, ssrc: int = 7) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, sequence % 2**16, 160 * sequence, ssrc) + bytes(160)


def pair(suite: str) -> tuple[SrtpSender, SrtpReceiver]:
    key = os.urandom(SUITES[suite].key_bytes)
    return SrtpSender(suite, key), SrtpReceiver(suite, key)


@pytest.mark.parametrize("suite", SUITES)
def test_each_packet_is_opened_once_and_another_key_opens_none(suite: str) -> None:
    sender, receiver = pair(suite)
    protected = sender.protect(rtp(1))
    with pytest.raises(BadPacket, match="SRTP"):
        pair(suite)[1].unprotect(protected)
    assert rtp(1)[12:] not in protected
    assert receiver.unprotect(protected) == rtp(1)
    with pytest.raises(BadPacket, match="replay"):
        receiver.unprotect(protected)


@pytest.mark.parametrize("suite", SUITES)
def test_each_report_is_opened_once(suite: str) -> None:
    sender, receiver = pair(suite)
    protected = sender.protect_rtcp(RECEIVER_REPORT)
    assert receiver.unprotect_rtcp(protected) == RECEIVER_REPORT
    with pytest.raises(BadPacket, match="replay"):
        receiver.unprotect_rtcp(protected)


@pytest.mark.parametrize("suite", SUITES)
def test_a_packet_of_which_any_bit_was_changed_is_refused_and_the_true_one_then_opened(suite: str) -> None:
    sender, receiver = pair(suite)
    protected = sender.protect(rtp(1))
    for at in range(1, len(protected)):  # the first byte's padding bit alone would make it another true packet
        with pytest.raises(BadPacket):
            receiver.unprotect(protected[:at] + bytes((protected[at] ^ 1,)) + protected[at + 1 :])
    assert receiver.unprotect(protected) == rtp(1)


@pytest.mark.parametrize("suite", SUITES)
def test_numbers_that_wrap_around_and_packets_out_of_order_are_opened(suite: str) -> None:
    sender, receiver = pair(suite)
    protected = [sender.protect(rtp(n)) for n in range(65_500, 65_600)]
    for a, b in zip(protected[1::2], protected[0::2], strict=True):
        receiver.unprotect(a)
        assert receiver.unprotect(b)


@pytest.mark.parametrize("suite", SUITES)
def test_a_packet_from_before_the_window_is_refused(suite: str) -> None:
    sender, receiver = pair(suite)
    protected = [sender.protect(rtp(n)) for n in range(300)]
    receiver.unprotect(protected[299])
    with pytest.raises(BadPacket, match="too old"):
        receiver.unprotect(protected[0])


@pytest.mark.parametrize("size", [1_480, 1_501, 65_507])
def test_a_datagram_longer_than_any_packet_is_refused_like_any_other(size: int) -> None:
    _, receiver = pair("AEAD_AES_128_GCM")
    with pytest.raises(BadPacket):
        receiver.unprotect(b"\x80" + bytes(size))
    with pytest.raises(BadPacket):
        receiver.unprotect_rtcp(b"\x80\xc8" + bytes(size))


@given(suite=st.sampled_from(list(SUITES)), data=st.binary(max_size=80))
def test_no_bytes_make_it_raise_anything_else(suite: str, data: bytes) -> None:
    _, receiver = pair(suite)
    for open_packet in (receiver.unprotect, receiver.unprotect_rtcp):
        with pytest.raises(BadPacket):
            open_packet(data)


def test_the_suites_are_those_of_session_descriptions() -> None:
    assert {name: suite.key_bytes for name, suite in SUITES.items()} == sdes.SUITES
