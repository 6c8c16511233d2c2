"""Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one audio stream.

Carried: G.711 µ-law and A-law, telephone-event (RFC 4733), RTP/AVP and RTP/SAVP, keys by SDES (RFC 4568), direction.
Left out: other codecs, video (refused with port 0), ICE, DTLS-SRTP (refused), bundling.
"""

import base64
import re
from dataclasses import dataclass, field

from tandem.sip.errors import IncompatibleMedia, SdpError

PCMU, PCMA = 0, 8
CODECS = {"PCMU/8000": PCMU, "PCMA/8000": PCMA}
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""The crypto suites that we speak, best first: both with a 16-byte key and a 14-byte salt (RFC 4568 §6.2)."""
_KEY_BYTES = 30
_MAX_SDP = 16_384
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """One SDES line: ``key`` is master key and salt, 30 bytes."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def line(self) -> str:
        """The attribute's value as it stands in SDP."""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """The audio stream of a description. ``event_type`` is the payload type of telephone-event, or ``None``."""

    host: str
    port: int
    secure: bool
    payload_types: tuple[int, ...]
    event_type: int | None = None
    direction: str = "sendrecv"
    cryptos: tuple[Crypto, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the side that sent this does not want to hear us now."""
        return self.direction in ("sendonly", "inactive") or self.host == "0.0.0.0"  # noqa: S104 - RFC 2543 hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What we read of a description: its first usable audio stream, and every media line for the answer's order."""

    audio: Audio | None
    media_lines: tuple[str, ...]
    session_id: str = "0"


def parse_sdp(body: bytes) -> Description:
    """Read a description. Raises :class:`SdpError` for anything that is not one."""
    if len(body) > _MAX_SDP:
        raise SdpError(f"a session description of {len(body)} bytes; at most {_MAX_SDP} are read")
    try:
        lines = [line.rstrip("\r") for line in body.decode("utf-8").split("\n") if line.strip()]
    except UnicodeDecodeError:
        raise SdpError("the session description is not UTF-8") from None
    if not lines or lines[0] != "v=0":
        raise SdpError("the session description does not begin with v=0")
    if any(len(line) < 2 or line[1] != "=" for line in lines):
        raise SdpError("a line of the session description is not TYPE=VALUE")
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    session, media = sections[0], sections[1:]
    audio: Audio | None = None
    for section in media:
        if audio is None and section[0].startswith("m=audio "):
            audio = _audio(section, session)
    origin = next((line[2:].split() for line in session if line.startswith("o=")), [])
    return Description(
        audio=audio, media_lines=tuple(s[0] for s in media), session_id=origin[1] if len(origin) > 1 else "0"
    )


def _audio(section: list[str], session: list[str]) -> Audio | None:
    parts = section[0][2:].split()
    if len(parts) < 4 or not re.fullmatch(r"[0-9]{1,5}(/[0-9]+)?", parts[1]):
        raise SdpError(f"not a media line: {section[0][:80]!r}")
    port = int(parts[1].partition("/")[0])
    if port > 65_535:
        raise SdpError(f"port {port} is above 65535")
    if not port or parts[2] not in ("RTP/AVP", "RTP/SAVP"):
        return None
    rtpmap = {}
    for value in _attributes(section, "rtpmap"):
        number, _, name = value.partition(" ")
        rtpmap[number.strip()] = name.strip().upper()
    payload_types, event_type = [], None
    for text in parts[3:]:
        name = rtpmap.get(text, "")
        if name.startswith("TELEPHONE-EVENT/8000") and re.fullmatch(r"[0-9]{1,3}", text):
            event_type = int(text)
        elif text in ("0", "8"):
            payload_types.append(int(text))
    directions = [d for d in DIRECTIONS if d in _flags(section)] or [d for d in DIRECTIONS if d in _flags(session)]
    return Audio(
        host=_connection(section) or _connection(session) or "",
        port=port,
        secure=parts[2] == "RTP/SAVP",
        payload_types=tuple(payload_types),
        event_type=event_type,
        direction=directions[0] if directions else "sendrecv",
        cryptos=tuple(c for value in _attributes(section, "crypto") if (c := _crypto(value))),
    )


def _attributes(section: list[str], name: str) -> list[str]:
    return [line[len(name) + 3 :] for line in section if line.lower().startswith(f"a={name}:")]


def _flags(section: list[str]) -> set[str]:
    return {line[2:].strip() for line in section if line.startswith("a=")}


def _connection(section: list[str]) -> str | None:
    for line in section:
        if line.startswith("c="):
            parts = line[2:].split()
            if len(parts) != 3 or parts[0] != "IN":
                raise SdpError(f"not a connection line: {line[:80]!r}")
            return parts[2].partition("/")[0]
    return None


def _crypto(value: str) -> Crypto | None:
    """A crypto attribute that we can use; others (unknown suites, lifetimes in MKI form) are passed over."""
    parts = value.split()
    if len(parts) < 3 or not re.fullmatch(r"[0-9]{1,9}", parts[0]) or parts[1] not in SUITES:
        return None
    method, _, rest = parts[2].partition(":")
    if method != "inline" or rest.count("|") > 1 or ":" in rest:
        return None
    try:
        key = base64.b64decode(rest.partition("|")[0], validate=True)
    except ValueError:  # binascii.Error among them
        return None
    return Crypto(tag=int(parts[0]), suite=parts[1], key=key) if len(key) == _KEY_BYTES else None


def build_sdp(audio: Audio, *, session_id: str, version: int = 1, refused: tuple[str, ...] = ()) -> bytes:
    """Write a description with this audio stream; ``refused`` are further media lines of an offer, given port 0."""
    family = "IP6" if ":" in audio.host else "IP4"
    names = {number: name for name, number in CODECS.items()}
    formats = [str(number) for number in audio.payload_types]
    if audio.event_type is not None:
        formats.append(str(audio.event_type))
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN {family} {audio.host}",
        "s=-",
        f"c=IN {family} {audio.host}",
        "t=0 0",
        f"m=audio {audio.port} {'RTP/SAVP' if audio.secure else 'RTP/AVP'} {' '.join(formats)}",
        *(f"a=rtpmap:{number} {names[number]}" for number in audio.payload_types),
    ]
    if audio.event_type is not None:
        lines += [f"a=rtpmap:{audio.event_type} telephone-event/8000", f"a=fmtp:{audio.event_type} 0-15"]
    lines += ["a=ptime:20", *(f"a=crypto:{crypto.line()}" for crypto in audio.cryptos), f"a={audio.direction}"]
    for line in refused:
        kind, _, rest = line[2:].partition(" ")
        lines.append(f"m={kind} 0 {rest.partition(' ')[2]}")
    return "".join(f"{line}\r\n" for line in lines).encode()


_ANSWERED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


def answer_audio(offer: Description, *, host: str, port: int, encryption: str, key: bytes) -> tuple[Audio, Audio]:
    """Choose from an offer: what we answer, and the offered stream narrowed to what was chosen.

    ``encryption`` is ``require``, ``prefer`` or ``refuse``; ``key`` are 30 fresh random bytes for our direction.
    Raises :class:`IncompatibleMedia` with the text for a 488's Warning header.
    """
    audio = offer.audio
    if audio is None:
        raise IncompatibleMedia("no audio over RTP/AVP or RTP/SAVP is offered")
    if not audio.payload_types:
        raise IncompatibleMedia("no codec in common; PCMU and PCMA are spoken")
    if audio.secure and encryption == "refuse":
        raise IncompatibleMedia("SRTP is offered, but this dial plan's media is not encrypted")
    if not audio.secure and encryption == "require":
        raise IncompatibleMedia("SRTP (RTP/SAVP) is required here, RTP/AVP was offered")
    chosen: tuple[Crypto, ...] = ()
    if audio.secure:
        usable = sorted(audio.cryptos, key=lambda c: SUITES.index(c.suite))
        if not usable:
            raise IncompatibleMedia(f"no usable key is offered; {' and '.join(SUITES)} are spoken")
        chosen = (usable[0],)
    ours = Audio(
        host=host,
        port=port,
        secure=audio.secure,
        payload_types=audio.payload_types[:1],
        event_type=audio.event_type,
        direction=_ANSWERED[audio.direction],
        cryptos=tuple(Crypto(tag=c.tag, suite=c.suite, key=key) for c in chosen),
    )
    theirs = Audio(
        host=audio.host,
        port=audio.port,
        secure=audio.secure,
        payload_types=audio.payload_types[:1],
        event_type=audio.event_type,
        direction=audio.direction,
        cryptos=chosen,
    )
    return ours, theirs
