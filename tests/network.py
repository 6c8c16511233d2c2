"""A loopback network of its own for each process that runs tests, so that several of them use the same addresses and ports.

The peers have well-known addresses and ports (gateways at 127.0.0.20:5060 and so on). Each pytest-xdist worker moves to a
network namespace of its own (Linux, root) before its first test; the programs that it starts are there with it. Without
the right to do so, the tests with peers run one after another, in one worker.
"""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def move_to_own() -> bool:
    """Give this thread, and what it starts from now on, a network that has only loopback. Returns whether that is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh", b"lo", 0).ljust(40, b"\0")
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP).ljust(40, b"\0"))
    return True


def identity() -> int:
    """The number of this process's network namespace."""
    return os.stat("/proc/thread-self/ns/net").st_ino
