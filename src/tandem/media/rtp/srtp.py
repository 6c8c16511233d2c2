"""SRTP and SRTCP (RFC 3711, RFC 7714) with keys from SDES (RFC 4568), by libsrtp. One context per direction.

A context serves every SSRC of its direction, each with a replay window of 128 packets, RTP and RTCP apart. Left out: MKI and
re-keying within a context (a re-INVITE with a new key makes a new one), unencrypted or unauthenticated streams.
"""

from dataclasses import dataclass

from pylibsrtp import Error, Policy, Session

from tandem.media.errors import BadPacket


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A crypto suite: libsrtp's profile, and the bytes of master key and salt together."""

    profile: int
    key_bytes: int


SUITES = {
    "AEAD_AES_256_GCM": Suite(profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM, key_bytes=32 + 12),
    "AEAD_AES_128_GCM": Suite(profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM, key_bytes=16 + 12),
    "AES_CM_128_HMAC_SHA1_80": Suite(profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80, key_bytes=16 + 14),
    "AES_CM_128_HMAC_SHA1_32": Suite(profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_32, key_bytes=16 + 14),
}
"""By their names in SDP. The last one's SRTCP is authenticated with 80 bits all the same (RFC 4568 §6.2.2)."""


class SrtpSender:
    """Protects what we send; ``key`` is master key and salt."""

    def __init__(self, suite: str, key: bytes) -> None:
        self._session = _session(suite, key, Policy.SSRC_ANY_OUTBOUND)

    def protect(self, packet: bytes) -> bytes:
        """Encrypt and authenticate one RTP packet; raises :class:`BadPacket` for a number that was sent before."""
        try:
            return bytes(self._session.protect(packet))
        except (Error, ValueError) as error:
            raise BadPacket(f"SRTP: {error}") from None

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt and authenticate one compound RTCP packet."""
        return bytes(self._session.protect_rtcp(packet))


class SrtpReceiver:
    """Opens what we receive; replayed and forged packets are refused."""

    def __init__(self, suite: str, key: bytes) -> None:
        self._session = _session(suite, key, Policy.SSRC_ANY_INBOUND)

    def unprotect(self, packet: bytes) -> bytes:
        """Decrypt one packet; raises :class:`BadPacket` if it is not our peer's or came before."""
        try:
            return bytes(self._session.unprotect(packet))
        except (Error, ValueError) as error:  # ValueError: more than 1,500 bytes
            raise BadPacket(f"SRTP: {error}") from None

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Decrypt one compound RTCP packet; raises :class:`BadPacket` as :meth:`unprotect` does."""
        try:
            return bytes(self._session.unprotect_rtcp(packet))
        except (Error, ValueError) as error:
            raise BadPacket(f"SRTCP: {error}") from None


def _session(suite: str, key: bytes, kind: int) -> Session:
    assert len(key) == SUITES[suite].key_bytes, "a key of the suite's length"
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=SUITES[suite].profile))
