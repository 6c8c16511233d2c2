import ipaddress
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.core.counters import families
from tandem.ops.errors import BadTrace
from tandem.ops.trace.calls import calls, ladder, line_of
from tandem.ops.trace.hep import Collector, hep3
from tandem.ops.trace.pcap import pcap
from tandem.ops.trace.record import MAGIC, Record, call_id_of, decode_all, encode
from tandem.ops.trace.ring import Ring, read, segments
from tandem.ops.trace.tap import TraceTap

PHONE, POOL, POOL_OUT, UM = ("127.0.0.9", 40001), ("127.0.0.1", 15062), ("127.0.0.1", 40002), ("127.0.0.1", 15061)


def message(first: str, cseq: str = "1 INVITE", call_id: str = "call-1@x", body: str = "") -> bytes:
    head = (first, "Via: x", 'From: "B; <x>" <sip:bob@example.com>;tag=1', "t: <sip:4101@example.com>", f"CSeq: {cseq}")
    return ("\r\n".join((*head, f"i: {call_id}", "", "")) + body).encode()


def record(at: float, sent: bool, remote: tuple[str, int], data: bytes, **more: object) -> Record:
    facts: dict[str, object] = {"transport": "tls", "local": POOL, "server": "pool1.example.com", **more}
    return Record(at=at, sent=sent, remote=remote, data=data, **facts)  # type: ignore[arg-type]


@given(
    at=st.floats(0, 4e9),
    sent=st.booleans(),
    host=st.ip_addresses().map(str),
    port=st.integers(0, 65535),
    data=st.binary(max_size=2000),
    cut=st.integers(0, 100),
)
def test_what_was_written_is_read_and_a_cut_record_ends_its_file(
    at: float, sent: bool, host: str, port: int, data: bytes, cut: int
) -> None:
    one = Record(at=at, sent=sent, transport="tcp", local=(host, port), remote=POOL, data=data)
    raw = MAGIC + encode(one) * 2
    assert list(decode_all(raw)) == [one, one]
    assert list(decode_all(raw[: len(raw) - 1 - cut % len(encode(one))])) == [one]


@given(st.binary(max_size=300))
def test_a_file_that_is_none_is_told(noise: bytes) -> None:
    try:
        list(decode_all(MAGIC + noise))
    except BadTrace:
        pass
    with pytest.raises(BadTrace):
        list(decode_all(b"\0" + noise))


def test_the_ring_is_bounded_in_bytes_and_keeps_the_newest(tmp_path: Path) -> None:
    folder = tmp_path / "pool1.example.com"
    ring = Ring(folder, max_bytes=80_000, max_age_s=1e9)
    for number in range(500):
        ring.write([record(number, True, UM, b"%d " % number + b"x" * 990)], now=1000.0 + number)
        assert sum(path.stat().st_size for path in segments(folder)) <= 80_000
    kept = [int(each.data.split()[0]) for each in read(tmp_path)]
    assert kept == list(range(kept[0], 500)) and len(kept) > 55
    assert {stat.S_IMODE(path.stat().st_mode) for path in segments(folder)} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    ring.close()


def test_the_ring_forgets_what_is_too_old_also_when_nothing_comes(tmp_path: Path) -> None:
    folder = tmp_path / "pool1.example.com"
    ring = Ring(folder, max_bytes=1 << 20, max_age_s=800.0)
    ring.write([record(0, True, UM, b"old")], now=0.0)
    (path,) = segments(folder)
    ring.write([], now=50.0)
    assert segments(folder) == [path]
    ring.write([], now=path.stat().st_mtime + 1000)
    assert segments(folder) == []


def test_another_ones_files_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "um1").mkdir()
    (tmp_path / "um1" / "1.trace").write_bytes(b"no trace")
    with pytest.raises(BadTrace, match=r"1\.trace cannot be read"):
        list(read(tmp_path))


@dataclass
class Way:
    transport: str = "udp"
    local: tuple[str, int] = POOL
    remote: tuple[str, int] = PHONE


def test_nothing_reaches_the_disk_unmasked(tmp_path: Path) -> None:
    tap = TraceTap(Ring(tmp_path / "um1", max_bytes=1 << 20, max_age_s=3600.0))
    tap.start()
    for _ in range(3000):
        tap("in", b"INFO sip:x SIP/2.0\r\nCall-ID: c\r\n\r\nSignal=8271", Way())
    tap.stop()
    assert len(list(read(tmp_path, about="Call-ID: c"))) == 3000
    assert all(b"8271" not in path.read_bytes() for path in segments(tmp_path / "um1"))


def test_a_disk_that_does_not_keep_up_costs_the_trace_and_no_memory(tmp_path: Path) -> None:
    tap = TraceTap(Ring(tmp_path / "um1", max_bytes=1 << 30, max_age_s=3600.0))
    for _ in range(2000):
        tap("in", b"x" * 10_000, Way())  # it is not started: nothing is written
    tap.start()
    tap.stop()
    kept = sum(len(each.data) for each in read(tmp_path))
    assert 8 << 20 <= kept < 9 << 20


def test_a_disk_that_fails_stops_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "um1").write_text("a file where the folder should be")
    tap = TraceTap(Ring(tmp_path / "um1", max_bytes=1 << 20, max_age_s=3600.0))
    (family,) = (each for each in families() if each.name == "tandem_trace_messages_total")
    left_out, written = family.of("left_out"), family.of("written")
    before = left_out.value, written.value  # type: ignore[union-attr]
    tap.start()
    tap("in", b"x", Way())
    tap.stop()
    assert "ops.trace_not_written" in caplog.text
    assert (left_out.value, written.value) == (before[0] + 1, before[1])  # type: ignore[union-attr]


def a_call() -> list[Record]:
    """A phone calls, the pool sends the call to UM; both servers have traced it."""
    invite, ok = message("INVITE sip:4101@example.com SIP/2.0"), message("SIP/2.0 200 OK")
    to_um = message(
        "INVITE sip:Main@um1.example.com SIP/2.0", body="v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 0 8\r\n"
    )
    bye = message("BYE sip:bob@127.0.0.9 SIP/2.0", "2 BYE")
    um = {"server": "um1.example.com", "local": UM}
    return [
        record(10.0, False, PHONE, invite),
        record(10.1, True, PHONE, message("SIP/2.0 407 Proxy Authentication Required")),
        record(10.2, False, PHONE, invite),
        record(10.3, True, UM, to_um, local=POOL_OUT),
        record(10.3, False, POOL_OUT, to_um, **um),
        record(10.4, True, POOL_OUT, ok, **um),
        record(10.4, False, UM, ok, local=POOL_OUT),
        record(10.5, True, PHONE, ok),
        record(17.5, False, PHONE, bye),
    ]


def test_a_call_says_who_called_whom_and_how_it_ended() -> None:
    other = record(1.0, False, PHONE, message("REGISTER sip:example.com SIP/2.0", "1 REGISTER", "reg@x"))
    registered, call = calls([*a_call(), other])
    assert (registered.method, registered.status) == ("REGISTER", 0)
    assert (call.from_, call.to) == ("sip:bob@example.com", "sip:4101@example.com")
    assert (call.method, call.status, call.messages) == ("INVITE", 200, 9)
    assert call.talked_s == pytest.approx(7.1)
    assert call.servers == {"pool1.example.com", "um1.example.com"}


def test_the_ladder_tells_each_message_once_between_parties_by_name() -> None:
    assert [(line.source, line.text, line.target, line.again) for line in ladder(a_call())] == [
        ("127.0.0.9:40001", "INVITE sip:4101@example.com", "pool1.example.com", False),
        ("pool1.example.com", "407 Proxy Authentication Required (INVITE)", "127.0.0.9:40001", False),
        ("127.0.0.9:40001", "INVITE sip:4101@example.com", "pool1.example.com", True),
        ("pool1.example.com", "INVITE sip:Main@um1.example.com", "um1.example.com", False),
        ("um1.example.com", "200 OK (INVITE)", "pool1.example.com", False),
        ("pool1.example.com", "200 OK (INVITE)", "127.0.0.9:40001", False),
        ("127.0.0.9:40001", "BYE sip:bob@127.0.0.9", "pool1.example.com", False),
    ]
    assert ladder(a_call())[3].media == "audio 127.0.0.1:4000 RTP/SAVP 0 8"


@given(st.binary(max_size=200))
def test_what_nobody_can_parse_is_shown_all_the_same_and_harms_no_terminal(data: bytes) -> None:
    line = line_of(record(0.0, False, PHONE, data))
    assert all(text.isprintable() for text in (line.text, line.from_, line.to, line.media, line.method))
    assert call_id_of(data) is not None


# Exports


def checksum_is_good(data: bytes) -> bool:
    """RFC 1071: with its checksum, everything adds up to all ones."""
    return sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))) % 0xFFFF == 0


def packets(raw: bytes) -> list[tuple[float, int, tuple[str, int], tuple[str, int], int, bytes]]:
    """An independent reader of capture files: moment, protocol, source, target, TCP number, payload."""
    magic, major, minor, _, _, _, link = struct.unpack("<IHHiIII", raw[:24])
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    out, at = [], 24
    while at < len(raw):
        seconds, micros, held, whole = struct.unpack("<IIII", raw[at : at + 16])
        assert held == whole
        packet = raw[at + 16 : at + 16 + held]
        at += 16 + held
        if packet[0] >> 4 == 4:
            assert struct.unpack(">H", packet[2:4])[0] == len(packet)
            assert checksum_is_good(packet[:20])
            protocol, addresses, rest = packet[9], packet[12:20], packet[20:]
        else:
            assert struct.unpack(">H", packet[4:6])[0] == len(packet) - 40
            protocol, addresses, rest = packet[6], packet[8:40], packet[40:]
        assert checksum_is_good(addresses + struct.pack(">HBBH", 0, 0, protocol, len(rest)) + rest)
        half = len(addresses) // 2
        hosts = [str(ipaddress.ip_address(addresses[:half])), str(ipaddress.ip_address(addresses[half:]))]
        ports = struct.unpack(">HH", rest[:4])
        number = struct.unpack(">I", rest[4:8])[0] if protocol == 6 else 0
        payload = rest[20:] if protocol == 6 else rest[8:]
        out.append((seconds + micros / 1e6, protocol, (hosts[0], ports[0]), (hosts[1], ports[1]), number, payload))
    return out


def test_a_capture_has_true_addresses_and_good_sums_over_both_protocols_and_families() -> None:
    six = {"transport": "udp", "local": ("::1", 5060)}
    records = [
        *a_call(),
        record(20.25, True, ("::1", 5070), b"odd", **six),
        record(21, True, PHONE, b"y", transport="udp"),
    ]
    found = packets(b"".join(pcap(records)))
    assert [(source, target, payload) for _, _, source, target, _, payload in found] == [
        (each.source, each.target, each.data) for each in records
    ]
    assert [each[1] for each in found] == [6] * 9 + [17, 17]
    assert found[9][0] == pytest.approx(20.25)


def test_a_long_message_is_several_segments_whose_numbers_follow_each_other() -> None:
    long = bytes(range(256)) * 200
    found = packets(b"".join(pcap([record(1.0, True, UM, long), record(1.0, True, UM, b"next")])))
    assert b"".join(each[5] for each in found[:-1]) == long
    ends = [number + len(payload) for _, _, _, _, number, payload in found]
    assert [each[4] for each in found[1:]] == ends[:-1]


def chunks(datagram: bytes) -> dict[int, bytes]:
    """An independent reader of HEP version 3."""
    assert datagram[:4] == b"HEP3" and struct.unpack(">H", datagram[4:6])[0] == len(datagram)
    found, at = {}, 6
    while at < len(datagram):
        vendor, kind, length = struct.unpack(">HHH", datagram[at : at + 6])
        assert vendor == 0 and length >= 6
        found[kind] = datagram[at + 6 : at + length]
        at += length
    return found


def test_a_collector_gets_each_message_with_its_addresses_and_moment() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer:
        homer.bind(("127.0.0.1", 0))
        homer.settimeout(5)
        collector = Collector(*homer.getsockname())
        for each in a_call():
            collector(each)
        got = [chunks(homer.recv(65_535)) for _ in a_call()]
        collector.close()
    assert [each[15] for each in got] == [each.data for each in a_call()]
    first = got[0]
    assert (first[1], first[2], first[11]) == (b"\x02", b"\x06", b"\x01")
    assert (socket.inet_ntoa(first[3]), struct.unpack(">H", first[7])[0]) == PHONE
    assert (socket.inet_ntoa(first[4]), struct.unpack(">H", first[8])[0]) == POOL
    assert struct.unpack(">II", got[1][9] + got[1][10]) == (10, 100_000)
    assert first[17] == b"call-1@x"


def test_a_message_over_ipv6_and_udp_says_so_to_the_collector() -> None:
    found = chunks(hep3(record(1.5, True, ("::1", 5070), b"x" * 65_000, transport="udp", local=("fe80::1", 5060))))
    assert (found[1], found[2], found[6]) == (b"\x0a", b"\x11", ipaddress.ip_address("::1").packed)
    assert 3 not in found and len(found[15]) == 60_000
