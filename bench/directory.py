"""How large a directory Tandem carries: loading, finding, following, memory.

    python bench/directory.py                              the embedded directory with 100,000 users
    python bench/directory.py --directory slapd            the same users in OpenLDAP, as root
    python bench/directory.py --directory samba --users 5000   in Samba's Active Directory, as root

Figures are of this machine. Each is set beside what it is to be compared with: a read of the same users by SQLite or libldap
alone, and a lookup in a plain dictionary.
"""

import argparse
import gc
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent / "tests")

from directory import adapters
from tandem.directory import objects as o
from tandem.directory.index import Index, Table
from tandem.directory.layout import Layout
from tandem.directory.opening import open_directory
from tandem.directory.port import Session
from tandem.directory.repository import Repository
from tandem.org.numbers import EumAddress
from tandem.org.vocabulary import PinState

LAYOUT = Layout(forest="example.com", organization="Bench")
PEOPLE = LAYOUT.domain.child("OU", f"People of {LAYOUT.organization}")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", choices=("embedded", "slapd", "samba"), default="embedded")
    parser.add_argument("--users", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder, ExitStack() as stack:
        owner, connect = opened(arguments.directory, Path(folder), stack)
        adapters.populate_organization(owner, LAYOUT, PEOPLE, rights=arguments.directory != "slapd")
        load(owner, arguments.users)
        find(owner, arguments.users)
        follow(connect, owner, arguments.users, feed=arguments.directory != "slapd")


def opened(name: str, folder: Path, stack: ExitStack) -> tuple[Session, Callable[[], Session]]:
    """The owner's session, and how a server gets one."""
    if name == "embedded":
        made = adapters.make_embedded(folder, LAYOUT)
        return made.owner, lambda: made.bind("Exchange Servers")
    if name == "slapd":
        place = stack.enter_context(adapters.slapd(folder))
        owner = adapters.make_slapd_base(place, LAYOUT)
        return owner, lambda: open_directory(place).bind(adapters.SLAPD_OWNER, adapters.PASSWORD)
    samba = stack.enter_context(adapters.Samba(folder / "dc", "example.com", "127.0.0.33"))
    password = adapters.administrator_password(samba.folder)
    owner = adapters.prepare_samba(samba.place, password)
    adapters.populate_forest(owner, LAYOUT)
    adapters.populate_rights(owner, LAYOUT)
    account = adapters.account_of("Exchange Servers")
    return open_directory(samba.place).bind("administrator", password), lambda: open_directory(samba.place).bind(
        account, adapters.PASSWORD
    )


def user(number: int) -> o.User:
    """One of many."""
    return o.User(
        account=f"user{number}",
        container=str(PEOPLE),
        display_name=f"User Number {number}",
        mail=f"user{number}@example.com",
        sip_address=f"sip:user{number}@example.com",
        sip_enabled=True,
        line_uri=f"tel:+1425{number:07}",
        proxy_addresses=(
            f"sip:user{number}@example.com",
            f"EUM:user{number}@example.com;phone-context=Main.example.com",
            f"eum:{number:06};phone-context=Main.example.com",
        ),
        um_flags=829,
        um_dial_plan="Main",
        pin_state=PinState.SET,
    )


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Print how long it took, and how many a second that is."""
    begun = time.perf_counter()
    yield
    seconds = time.perf_counter() - begun
    print(f"{what:52} {seconds:9.2f} s  {count / seconds:12,.0f} /s", flush=True)


def load(owner: Session, users: int) -> None:
    """Write the users, in one transaction where there are any."""
    repository = Repository(owner, LAYOUT)
    with timed(f"{users:,} users written", users), owner.transaction():
        for number in range(users):
            repository.add(user(number))


def find(owner: Session, users: int) -> None:
    """Find one by each of its keys, by asking the directory."""
    repository = Repository(owner, LAYOUT)
    for what, filter_ in (
        ("extension", "(proxyAddresses=eum:{0:06};phone-context=Main.example.com)"),
        ("SIP address", "(msRTCSIP-PrimaryUserAddress=sip:user{0}@example.com)"),
        ("number", "(msRTCSIP-Line=tel:+1425{0:07})"),
    ):
        taken = []
        for step in range(200):
            number = step * 7919 % users
            begun = time.perf_counter()
            found = repository.find(o.User, filter_.format(number))
            taken.append(time.perf_counter() - begun)
            assert [each.account for each in found] == [f"user{number}"]
        quantiles = statistics.quantiles(taken, n=100)
        print(f"found by {what:43} median {quantiles[49] * 1e3:7.3f} ms  p99 {quantiles[98] * 1e3:7.3f} ms", flush=True)


def follow(connect: Callable[[], Session], owner: Session, users: int, *, feed: bool) -> None:
    """Read everything into the index, look it up, change a user and see it."""
    by_address = Table(lambda each: [eum.key for text in each.proxy_addresses if (eum := EumAddress.parse(text))])
    by_sip = Table(lambda each: [each.sip_address.partition(":")[2].lower()] if each.sip_address else [])
    index = Index(connect, ((o.User, by_address), (o.User, by_sip)), own_people=False)
    gc.collect()
    before = resident()
    with timed(f"{users:,} users read into the index", users):
        first = index.poll()
        assert first is not None
        index.take(first)
    first = None
    gc.collect()
    print(f"{'memory of the index':52} {(resident() - before) / users:9.0f} bytes a user", flush=True)
    plain = {f"user{number}@example.com": number for number in range(users)}
    for what, table in (("the index", by_sip), ("a dictionary", plain)):
        keys = [f"user{step * 7919 % users}@example.com" for step in range(200_000)]
        with timed(f"200,000 lookups in {what}", len(keys)):
            for key in keys:
                table[key]
    if not feed:
        print("slapd has no change numbers: it is read again at each look")
        return
    repository, delays, idle = Repository(owner, LAYOUT), [], []
    for number in range(50):
        held = repository.get(o.User, f"user{number}")
        assert held is not None
        begun = time.perf_counter()
        owner.replace(repository.dn_of(held), {"displayName": [f"Changed {number} {begun}"]})
        written = time.perf_counter()
        changes = index.poll()
        assert changes is not None
        index.take(changes)
        delays.append(time.perf_counter() - written)
        assert by_sip[f"user{number}@example.com"].display_name == f"Changed {number} {begun}"
        written = time.perf_counter()
        index.poll()
        idle.append(time.perf_counter() - written)
    print(
        f"{'a change, from written to seen (servers look each second)':57} median {statistics.median(delays) * 1e3:7.2f} ms"
    )
    print(f"{'a look when nothing has changed':57} median {statistics.median(idle) * 1e3:7.2f} ms")


def resident() -> int:
    """Bytes of memory that are in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
