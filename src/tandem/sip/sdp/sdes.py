"""Keys of SRTP in session descriptions: the crypto attribute (RFC 4568), with the suites of RFC 4568 and RFC 7714.

A line that asks for less protection than its suite (``UNENCRYPTED_SRTP`` and the like), or for something that we would
have to understand and do not, is passed over, and the reason kept for the 488. A key's lifetime is accepted if no call
of ours can outlive it. Left out: MKI, several keys in one line, KDR; peers that offer those offer a line without, too.
"""

import base64
import re
from dataclasses import dataclass, field

SUITES = {
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""The suites that we speak, best first, and the bytes of master key and salt (RFC 7714 §14.2, RFC 4568 §6.2)."""
MIN_LIFETIME = 720_000
"""Packets: two hours, the longest call that UM has, at 10 ms each. RFC 4568's own examples say 2^20."""
_HARMLESS = ("WSH=", "FEC_ORDER=")  # advice on windows, and on an error correction that is not in use here
_LIFETIME = re.compile(r"(?:2\^([0-9]{1,2})|([0-9]{1,15}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """One line: ``key`` is master key and salt together."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def line(self) -> str:
        """The attribute's value as SDP has it."""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A line that we cannot use: its suite, and why."""

    suite: str
    why: str

    def __str__(self) -> str:
        return f"{self.suite} ({self.why})"


def parse_crypto(value: str) -> Crypto | PassedOver:
    """Read the value of a crypto attribute; anything at all may come in."""
    parts = value.split()
    suite = re.sub(r"[^A-Za-z0-9_]", "?", parts[1])[:40] if len(parts) > 1 else "?"
    if len(parts) < 3 or not re.fullmatch(r"[0-9]{1,9}", parts[0]):
        return PassedOver(suite=suite, why="not TAG SUITE inline:KEY")
    if suite not in SUITES:
        return PassedOver(suite=suite, why="unknown")
    if refused := [text for text in parts[3:] if not text.startswith(_HARMLESS)]:
        return PassedOver(suite=suite, why=f"{re.sub('[^A-Z_]', '', refused[0])[:30]} is not spoken")
    key = _key(parts[2], SUITES[suite])
    if isinstance(key, str):
        return PassedOver(suite=suite, why=key)
    return Crypto(tag=int(parts[0]), suite=suite, key=key)


def _key(text: str, length: int) -> bytes | str:
    """The key of ``inline:KEY|LIFETIME|MKI:LENGTH``, or why it cannot be used."""
    method, _, rest = text.partition(":")
    if method.lower() != "inline" or ";" in rest:
        return "one inline key is expected"
    encoded, *more = rest.split("|")
    if any(":" in part for part in more) or len(more) > 1:
        return "with MKI"
    if more and _packets(more[0]) < MIN_LIFETIME:
        return "its key does not live long enough"
    try:
        # Some peers (rtpengine is one) leave the padding out; RFC 4568 §9.2 does not insist on it.
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:  # binascii.Error among them
        return "its key is not Base64"
    return key if len(key) == length else f"its key has {len(key)} bytes instead of {length}"


def _packets(lifetime: str) -> int:
    found = _LIFETIME.fullmatch(lifetime)
    if found is None:
        return 0
    return 1 << int(found[1]) if found[1] else int(found[2])
