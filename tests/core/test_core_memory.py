"""Threads share the arenas of the C library's allocator, and large blocks have pages of their own."""

import re
import subprocess
import sys

ASKED = """
import ctypes, sys, tempfile, threading
from tandem.core.memory import give_back_memory
if sys.argv[1] == "set":
    give_back_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
barrier = threading.Barrier(16)
def work():
    barrier.wait()
    libc.malloc(100_000)
threads = [threading.Thread(target=work) for _ in range(16)]
for each in threads: each.start()
for each in threads: each.join()
libc.free(ctypes.c_void_p(libc.malloc(8_000_000)))  # from now on, glibc means, such blocks lie better in an arena
libc.malloc(4_000_000)
with tempfile.NamedTemporaryFile() as file:
    out = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, out)
    libc.fclose(out)
    print(file.read().decode())
"""


def asked(how: str) -> str:
    return subprocess.run([sys.executable, "-c", ASKED, how], capture_output=True, text=True, check=True).stdout


def test_threads_share_two_arenas() -> None:
    assert asked("set").count("<heap nr=") <= 2 < asked("as it is").count("<heap nr=")


def test_a_large_block_has_pages_of_its_own_although_larger_ones_were_freed() -> None:
    def pages(how: str) -> int:
        found = re.search(r'<total type="mmap" count="\d+" size="(\d+)"', asked(how))
        assert found
        return int(found[1])

    assert pages("as it is") < 4_000_000 <= pages("set")
