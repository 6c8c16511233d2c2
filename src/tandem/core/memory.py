"""Memory of a process with many threads: they share the C library's arenas, and large blocks go back when they are free.

glibc gives each thread an arena of its own, up to eight for each core, and keeps in each what it ever needed at once. It also
raises the size from which a block has pages of its own, as large ones are freed, so that later ones lie in an arena between
small ones that stay. A server composes mails of half a megabyte in some thirty threads, seldom in two at the same time: in half
an hour it grew by 40 MiB for each of the two reasons.
"""

import contextlib
import ctypes

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # malloc.h
ARENAS = 2
LARGE_BYTES = 128 * 1024
"""From this size on a block has pages of its own: glibc's first value, which does not rise once it is set."""


def give_back_memory() -> None:
    """Call this before threads are started. Where the C library has no such settings, nothing happens."""
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
