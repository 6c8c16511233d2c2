"""UDP sockets as media uses them: on an even port of a range, marked for expedited forwarding, bound to one peer when known."""

import ctypes
import socket

from tandem.media.ports import tries

EXPEDITED = 46
"""The code point that voice is marked with (EF, :rfc:`3246`), if nobody says otherwise."""
_RECEIVE_BYTES = 1 << 17  # half a second of G.711, as the kernel counts, for a worker that is held up
_UNSPECIFIED = bytes(128)  # a sockaddr of AF_UNSPEC
_libc = ctypes.CDLL(None, use_errno=True)


def open_socket(host: str, ports: range, dscp: int = EXPEDITED) -> socket.socket | None:
    """A socket on ``host`` that does not block; ``None`` if no port of the range is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for port in tries(ports):
        try:
            sock.bind((host, port))
        except OSError:
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        # The code point is in the upper six bits of the byte (RFC 2474).
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
        return sock
    sock.close()
    return None


def open_beside(sock: socket.socket) -> socket.socket | None:
    """A socket on the next port, for RTCP; ``None`` if that is not free."""
    host, port = sock.getsockname()[:2]
    beside = socket.socket(sock.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        beside.bind((host, port + 1))
    except (OSError, OverflowError):
        beside.close()
        return None
    return beside


def disconnect(sock: socket.socket) -> None:
    """Undo ``connect``: hear anybody again. Python's own ``connect`` knows no AF_UNSPEC."""
    _libc.connect(sock.fileno(), _UNSPECIFIED, len(_UNSPECIFIED))
