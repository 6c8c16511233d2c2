"""SRTP (RFC 3711) with keys from SDES (RFC 4568), by libsrtp. One context per direction."""

from pylibsrtp import Error, Policy, Session

from tandem.media.errors import BadPacket

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


class SrtpSender:
    """Protects what we send; ``key`` is master key and salt, 30 bytes."""

    def __init__(self, suite: str, key: bytes) -> None:
        self._session = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=_PROFILES[suite]))

    def protect(self, packet: bytes) -> bytes:
        """Encrypt and authenticate one RTP packet."""
        return bytes(self._session.protect(packet))


class SrtpReceiver:
    """Opens what we receive; replayed and forged packets are refused."""

    def __init__(self, suite: str, key: bytes) -> None:
        self._session = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=_PROFILES[suite]))

    def unprotect(self, packet: bytes) -> bytes:
        """Decrypt one packet; raises :class:`BadPacket` if it is not our peer's or came before."""
        try:
            return bytes(self._session.unprotect(packet))
        except Error as error:
            raise BadPacket(f"SRTP: {error}") from None
