"""Ports for media: an even one each, as RTP has them (RFC 3550 §11)."""

import secrets
from collections.abc import Iterator
from itertools import chain

ANY = range(1)
_DYNAMIC = range(32_768, 61_000)  # Linux's own; never bound as 0, as such a port is lost when a socket is disconnected


def tries(ports: range) -> Iterator[int]:
    """The even ports of a range from a random one on, so that a port rests before it is used again; ``ANY`` is any."""
    wanted = _DYNAMIC if ports == ANY else ports
    even = range(wanted.start + wanted.start % 2, wanted.stop, 2)
    start = secrets.randbelow(len(even) or 1)
    return chain(even[start:], even[:start])
