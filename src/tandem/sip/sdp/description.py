"""Session descriptions (RFC 8866): reading and writing the audio streams in them. Choosing is :mod:`tandem.sip.sdp.offer`.

Carried: PCMU, PCMA, G.722, Opus (RFC 7587), telephone-event (RFC 4733), comfort noise (RFC 3389); RTP/AVP, RTP/SAVP and
their feedback variants (RFC 4585, without feedback); keys by SDES (RFC 4568), direction, ptime, RTCP's port (RFC 3605,
RFC 5761), IPv4 and IPv6. Left out: other media (refused with port 0), ICE, DTLS-SRTP, bundling, multicast; maxptime, since
peers that ask for packets below 20 ms take those. What nobody needs costs no call: lines that are no TYPE=VALUE, blanks and
zeros at their ends, text that is not UTF-8, formats that are no payload types, and a medium without any.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from tandem.sip.errors import SdpError
from tandem.sip.sdp.sdes import Crypto, PassedOver, parse_crypto

_MAX_SDP = 16_384
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
PROFILES = ("RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF")
NOWHERE = ("0.0.0.0", "::")  # noqa: S104 - RFC 2543's way to hold
_EVENT, _COMFORT = "telephone-event", "CN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format of a stream: a payload type and its meaning; ``parameters`` are those of its fmtp line."""

    payload_type: int
    name: str
    clock: int = 8000
    channels: int = 1
    parameters: str = ""

    @property
    def rtpmap(self) -> str:
        """Name, clock and, if there are several, channels."""
        return f"{self.name}/{self.clock}" + (f"/{self.channels}" if self.channels > 1 else "")


CODECS = {
    codec.name: codec
    for codec in (
        Format(payload_type=0, name="PCMU"),
        Format(payload_type=8, name="PCMA"),
        Format(payload_type=9, name="G722"),  # RFC 3551 §4.5.2: 8000, although it is sampled at 16,000 Hz
        # RFC 7587 §7: always 48000/2; the parameters say that we keep and have 8,000 Hz only.
        Format(
            payload_type=96,
            name="opus",
            clock=48_000,
            channels=2,
            parameters="maxplaybackrate=8000;sprop-maxcapturerate=8000",
        ),
    )
}
"""The codecs that are spoken, as we offer them."""
_COMFORT_NOISE = Format(payload_type=13, name=_COMFORT)
_STATIC = {f.payload_type: f for f in (*CODECS.values(), _COMFORT_NOISE) if f.payload_type < 96}
_KNOWN = {f.rtpmap.upper(): f for f in (*CODECS.values(), _COMFORT_NOISE)}
_EVENT_CLOCKS = (8000, 48_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """An audio stream as one side describes it.

    ``formats`` are the codecs that we know, ``events`` telephone-event for each clock; ``others`` names the formats, and
    ``passed_over`` the keys, that were there and are of no use to us. ``lines`` are all media lines of the session in
    their order, and ``index`` is the place of this stream's. ``opportunistic``: encrypted under a profile that does not say
    so, as phones with "optional" SRTP offer it (RFC 8643).
    """

    host: str
    port: int
    secure: bool
    formats: tuple[Format, ...]
    events: tuple[Format, ...] = ()
    comfort_noise: bool = False
    direction: str = "sendrecv"
    cryptos: tuple[Crypto, ...] = ()
    opportunistic: bool = False
    feedback: bool = False
    rtcp_mux: bool = False
    rtcp: tuple[str, int] | None = None
    ptime_ms: int | None = None
    others: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    index: int = 0
    lines: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the side that sent this does not want our media now."""
        return self.direction in ("sendonly", "inactive") or self.host in NOWHERE

    @property
    def profile(self) -> str:
        """The profile's name in the media line."""
        return f"RTP/{'S' if self.secure and not self.opportunistic else ''}AVP{'F' if self.feedback else ''}"

    @property
    def event(self) -> Format | None:
        """telephone-event for the first codec: of the same clock (RFC 4733 §2.1), or else of 8,000 Hz."""
        clock = self.formats[0].clock if self.formats else 8000
        fitting = [event for wanted in (clock, 8000) for event in self.events if event.clock == wanted]
        return fitting[0] if fitting else None

    @property
    def event_type(self) -> int | None:
        """The payload type of :attr:`event`."""
        return self.event.payload_type if self.event else None

    @property
    def rtcp_address(self) -> tuple[str, int]:
        """Where this side hears RTCP."""
        if self.rtcp_mux:
            return self.host, self.port
        return self.rtcp or (self.host, self.port + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What we read of a description: the audio streams over RTP, and every media line.

    ``encrypted`` says for each media line whether it is of SRTP, by its profile or by keys under another one (RFC 8643).
    """

    audios: tuple[Audio, ...]
    media_lines: tuple[str, ...]
    encrypted: tuple[bool, ...]
    session_id: str = "0"

    @property
    def audio(self) -> Audio | None:
        """The stream to be taken: the first encrypted one, else the first; some offer the same twice, either way."""
        return next((audio for audio in self.audios if audio.secure), next(iter(self.audios), None))


def parse_sdp(body: bytes) -> Description:
    """Read a description. Raises :class:`SdpError` for anything that is not one."""
    session, media = _sections(_lines(body))
    lines = tuple(section[0] for section in media)
    whole = _Whole(host=_connection(session), direction=_direction(session))
    audios = (
        _audio(section, whole, index, lines) for index, section in enumerate(media) if section[0].startswith("m=audio ")
    )
    origin = next((line[2:].split() for line in session if line.startswith("o=")), [])
    return Description(
        audios=tuple(audio for audio in audios if audio is not None),
        media_lines=lines,
        encrypted=tuple("SAVP" in each[0].split()[2] or bool(_attributes(each, "crypto")) for each in media),
        session_id=origin[1] if len(origin) > 1 else "0",
    )


def _lines(body: bytes) -> list[str]:
    if len(body) > _MAX_SDP:
        raise SdpError(f"a session description of {len(body)} bytes; at most {_MAX_SDP} are read")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("latin-1")  # names and titles, which nobody reads here
    lines = [line for each in text.split("\n") if (line := each.rstrip(" \t\r\0"))[1:2] == "="]
    if not lines or lines[0] != "v=0":
        raise SdpError("the session description does not begin with v=0")
    return lines


def _sections(lines: list[str]) -> tuple[list[str], list[list[str]]]:
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            if len(line.split()) < 3 or line[2].isspace():
                raise SdpError(f"not a media line: {line[:80]!r}")
            sections.append([])
        sections[-1].append(line)
    return sections[0], sections[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """What the session says for every stream that does not say it itself."""

    host: str | None
    direction: str | None


def _audio(section: list[str], whole: _Whole, index: int, lines: tuple[str, ...]) -> Audio | None:
    """The stream of a section; ``None`` if it is refused (port 0) or not over RTP as we speak it."""
    _, port_text, profile, *numbers = section[0].split()
    if not re.fullmatch(r"[0-9]{1,5}(/[0-9]+)?", port_text) or int(port_text.partition("/")[0]) > 65_535:
        raise SdpError(f"not a media line: {section[0][:80]!r}")
    port = int(port_text.partition("/")[0])
    if not port or profile not in PROFILES:
        return None
    known, others = _formats(section, numbers)
    cryptos = [parse_crypto(value) for value in _attributes(section, "crypto")]
    host = _connection(section) or whole.host
    if host is None:
        raise SdpError("there is no connection line (c=) for the audio stream")
    return Audio(
        host=host,
        port=port,
        secure="SAVP" in profile,
        formats=tuple(f for f in known if f.name in CODECS),
        events=tuple(f for f in known if f.name == _EVENT),
        comfort_noise=_COMFORT_NOISE in known,
        direction=_direction(section) or whole.direction or "sendrecv",
        cryptos=tuple(c for c in cryptos if isinstance(c, Crypto)),
        feedback=profile.endswith("F"),
        rtcp_mux="rtcp-mux" in _flags(section),
        rtcp=_rtcp(section, host),
        ptime_ms=_milliseconds(section, "ptime"),
        others=tuple(others),
        passed_over=tuple(c for c in cryptos if isinstance(c, PassedOver)),
        index=index,
        lines=lines,
    )


def _formats(section: list[str], numbers: list[str]) -> tuple[list[Format], list[str]]:
    """The formats of a media line that we know, in its order, and the names of the others."""
    names = dict(_numbered(section, "rtpmap"))
    parameters = dict(_numbered(section, "fmtp"))
    known, others = [], []
    for text in numbers:
        is_one = re.fullmatch(r"[0-9]{1,3}", text) and int(text) < 128
        found = _known(int(text), names.get(text, ""), parameters.get(text, "")) if is_one else None
        if found is None:
            others.append(shown(names[text]) if text in names else f"payload type {shown(text)}")
        else:
            known.append(found)
    return known, others


def _known(payload_type: int, name: str, parameters: str) -> Format | None:
    if not name:
        return _STATIC.get(payload_type)
    kind, _, rest = name.upper().partition("/")
    if kind == _EVENT.upper():
        clock = rest.partition("/")[0]
        if clock not in map(str, _EVENT_CLOCKS):
            return None
        return Format(payload_type=payload_type, name=_EVENT, clock=int(clock), parameters=parameters)
    known = _KNOWN.get(name.upper().removesuffix("/1"))
    if known is None:
        return None
    return Format(
        payload_type=payload_type,
        name=known.name,
        clock=known.clock,
        channels=known.channels,
        parameters=parameters,
    )


def _numbered(section: list[str], name: str) -> list[tuple[str, str]]:
    """The values of attributes that begin with a payload type: what they say of which."""
    split = (value.strip().partition(" ") for value in _attributes(section, name))
    return [(number, rest.strip()) for number, _, rest in split]


def _attributes(section: list[str], name: str) -> list[str]:
    return [line[len(name) + 3 :] for line in section if line.lower().startswith(f"a={name}:")]


def _flags(section: list[str]) -> set[str]:
    return {line[2:].strip() for line in section if line.startswith("a=")}


def _direction(section: list[str]) -> str | None:
    flags = _flags(section)
    return next((direction for direction in DIRECTIONS if direction in flags), None)


def _milliseconds(section: list[str], name: str) -> int | None:
    found = [value.strip() for value in _attributes(section, name)]
    return int(found[0]) if found and re.fullmatch(r"[0-9]{1,5}", found[0]) else None


def _connection(section: list[str]) -> str | None:
    for line in section:
        if line.startswith("c="):
            return _address(line[2:].split(), line)
    return None


def _rtcp(section: list[str], host: str) -> tuple[str, int] | None:
    """RFC 3605: a port, perhaps with an address; one that cannot be used is that of the connection line."""
    for value in _attributes(section, "rtcp"):
        port, *address = value.split() or [""]
        if re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= 65_535:
            said = _address(address, value) if len(address) == 3 and address[0] == "IN" else host
            return (said if is_unicast(said) else host), int(port)
    return None


def _address(parts: list[str], line: str) -> str:
    if len(parts) != 3 or parts[0] != "IN":
        raise SdpError(f"not a connection line: {line[:80]!r}")
    host = parts[2].partition("/")[0]
    try:
        return str(ip_address(host))  # as the kernel writes it: IPv6 has many spellings of one address
    except ValueError:
        return host


def shown(name: str) -> str:
    """A name from a description as it may appear in a message."""
    return re.sub(r"[^A-Za-z0-9_./-]", "?", name)[:30]


def is_unicast(host: str) -> bool:
    """Whether media can be sent there: an address and no name (which would have to be looked up), of one host.

    255.255.255.255 is everybody's, and the rest of 240.0.0.0/4 nobody's.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return not (address.is_multicast or (address.version == 4 and address.is_reserved))


def is_loopback(host: str) -> bool:
    """Whether an address is a machine's own, in IPv6 also as it writes one of IPv4."""
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def build_sdp(audio: Audio, *, session_id: str, version: int = 1) -> bytes:
    """Write a description with this stream in its place among ``audio.lines``; the others are refused with port 0."""
    family = family_of(audio.host)
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN {family} {audio.host}",
        "s=-",
        f"c=IN {family} {audio.host}",
        "t=0 0",
    ]
    for index, line in enumerate(audio.lines or ("",)):
        lines += _media(audio) if index == audio.index else [_refused(line)]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _media(audio: Audio) -> list[str]:
    formats = [*audio.formats, *([_COMFORT_NOISE] if audio.comfort_noise else []), *audio.events]
    lines = [f"m=audio {audio.port} {audio.profile} {' '.join(str(f.payload_type) for f in formats)}"]
    for each in formats:
        lines.append(f"a=rtpmap:{each.payload_type} {each.rtpmap}")
        if each.parameters:
            lines.append(f"a=fmtp:{each.payload_type} {each.parameters}")
    if audio.rtcp_mux:
        lines.append("a=rtcp-mux")
    if audio.rtcp:
        lines.append(f"a=rtcp:{audio.rtcp[1]} IN {family_of(audio.rtcp[0])} {audio.rtcp[0]}")
    lines.append(f"a=ptime:{audio.ptime_ms or 20}")
    lines += [f"a=crypto:{crypto.line()}" for crypto in audio.cryptos]
    return [*lines, f"a={audio.direction}"]


def _refused(line: str) -> str:
    kind, _, profile, *formats = line.split()
    return " ".join((kind, "0", profile, *(formats or ["0"])))  # the grammar wants a format, whatever the offer had


def family_of(host: str) -> str:
    """The address family of a host as SDP names it."""
    return "IP6" if ":" in host else "IP4"
