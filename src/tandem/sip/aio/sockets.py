"""Sockets as SIP needs them: address reuse, kernel keep-alives, DSCP marking, IPv4 and IPv6 alike.

What is set on a listening socket holds for every connection that it accepts (Linux).
"""

import ipaddress
import socket

DEAD_AFTER_S = 30
"""Seconds without an acknowledgement after which the kernel gives a TCP connection up: a peer that vanished is noticed."""
ANY = ("0.0.0.0", "::")  # noqa: S104 - recognized, not bound
_IDLE_S, _PROBE_S, _PROBES = 60, 10, 3
_BIND_ADDRESS_NO_PORT = 24
"""Linux: the port is chosen when the connection is opened, so that it has to be free towards that peer only."""
UDP_BUFFER_BYTES = 1 << 21
"""Asked of the kernel (which may give less): a burst of 500 calls a second waits here and is not lost."""


def family_of(host: str) -> socket.AddressFamily:
    """IPv4 or IPv6, by the form of an address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def tcp_socket(host: str, *, dscp: int, source: str = "") -> socket.socket:
    """A TCP socket towards (or at) a host's family, from the address ``source`` if there is one. Raises :class:`OSError`."""
    made = _socket(host, socket.SOCK_STREAM, dscp)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_S * 1000)
    if source:
        made.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        return _bound(made, source, 0)
    return made


def tcp_listener(host: str, port: int, *, dscp: int) -> socket.socket:
    """A TCP socket bound to an address. Raises :class:`OSError`."""
    made = tcp_socket(host, dscp=dscp)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return _bound(made, host, port)


def udp_socket(host: str, port: int, *, dscp: int) -> socket.socket:
    """A UDP socket bound to an address. Raises :class:`OSError`."""
    made = _socket(host, socket.SOCK_DGRAM, dscp)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, buffer, UDP_BUFFER_BYTES)
    return _bound(made, host, port)


def _socket(host: str, kind: socket.SocketKind, dscp: int) -> socket.socket:
    family = family_of(host)
    made = socket.socket(family, kind)
    made.setblocking(False)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if dscp:
        mark(made, dscp)
    return made


def mark(made: socket.socket, dscp: int) -> None:
    """Mark what a socket sends: the code point is in the upper six bits of TOS or Traffic Class (RFC 2474)."""
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    else:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


def source_towards(host: str) -> str:
    """The address of ours that the kernel would send from to a host; nothing is sent. Raises :class:`OSError`."""
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as asking:
        asking.connect((host, 9))
        return str(asking.getsockname()[0])


def _bound(made: socket.socket, host: str, port: int) -> socket.socket:
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name; IPv6 with or without brackets."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def at_port(host: str, port: int) -> str:
    """``host:port`` as in URIs and Via; an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
