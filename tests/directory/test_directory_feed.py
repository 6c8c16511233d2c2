"""What a server reads of Active Directory, poll by poll, when a part of it cannot be read, or another controller answers."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ldap
import pytest

from tandem.directory.address import Address
from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryError, DirectoryUnavailable
from tandem.directory.ldap.connection import ControllerPool, Raw, Simple, controller_of
from tandem.directory.ldap.feed import ALL_S, FEW_S, MANY_S, LdapFeed
from tandem.directory.ldap.values import entry_of
from tandem.directory.port import Entry, Part

HOME, OTHER = DN.parse("DC=example,DC=com"), DN.parse("DC=other,DC=example")
PEOPLE = Part(base=HOME, classes=frozenset({"user", "contact"}))
SERVICES = Part(base=HOME.child("CN", "Services"), classes=frozenset({"container"}), few=True)
FOREIGN = Part(base=OTHER.child("CN", "Services"), classes=frozenset({"container"}), few=True)


@dataclass
class Controller:
    """The pool of a forest: which controller answers."""

    generation: int = 1

    def read(self, ask: object) -> list[Raw]:
        """Nobody here may see deleted entries."""
        return []


STAFF, PEOPLE_OU = f"OU=Staff,{HOME}", f"OU=People,{HOME}"


@dataclass
class Forest:
    """Users by name, with the number of the last change and a description; their OU, with its name and number."""

    pool: Controller = field(default_factory=Controller)
    usn: int = 100
    users: dict[str, tuple[int, str]] = field(default_factory=lambda: {"alice": (90, "before")})
    place: tuple[int, str] = (90, STAFF)

    def committed(self) -> int:
        """The highest change number."""
        return self.usn

    def context_of(self, dn: DN) -> str:
        """The domain."""
        return str(HOME)

    def change(self, description: str) -> None:
        """Change the user."""
        self.usn += 1
        self.users["alice"] = (self.usn, description)


@dataclass
class Reader:
    """A session whose answers for a base may be replaced by an error."""

    forest: Forest = field(default_factory=Forest)
    failing: dict[DN, DirectoryError] = field(default_factory=dict)
    slow_s: float = 0.0
    """How long each search takes."""
    clock: float = 0.0

    def forest_at(self, dn: DN) -> Any:
        """One serves all."""
        return self.forest

    def is_home(self, dn: DN) -> bool:
        """See the feed."""
        return dn.below(HOME)

    def bind_again(self) -> None:
        """See the feed."""

    def raw(self, forest: Any, base: str, scope: int, filter_: str, attributes: Sequence[str]) -> list[Raw]:
        """Users of the domain and their OU, by the classes and the number that are asked for; none elsewhere."""
        if (error := self.failing.get(DN.parse(base))) is not None:
            raise error
        if not DN.parse(base).below(HOME) or DN.parse(base) == SERVICES.base:
            return []
        self.clock += self.slow_s
        since = int(filter_.split("uSNChanged>=")[1].split(")")[0]) if "uSNChanged" in filter_ else 0
        number, place = self.forest.place
        found = []
        if "objectClass=organizationalUnit" in filter_ and number >= since:
            found.append((place, {"objectGUID": [b"place"], "objectClass": [b"top", b"organizationalUnit"]}))
        if "objectClass=user" in filter_:
            found += [
                (f"CN={name},{place}", {"objectGUID": [name.encode()], "description": [text.encode()]})
                for name, (usn, text) in self.forest.users.items()
                if usn >= since
            ]
        return found

    def entries(self, forest: Any, found: Sequence[Raw]) -> Iterator[Entry]:
        """As the session makes them."""
        for name, values in found:
            entry = entry_of(name, {"objectClass": [b"top", b"user"], **values}, str)
            assert entry is not None
            yield entry


@dataclass
class Followed:
    """A feed with a clock that is set by hand."""

    reader: Reader
    parts: Sequence[Part]
    now: float = 0.0

    def __post_init__(self) -> None:
        self.feed = LdapFeed(self.reader, self.parts, lambda: self.now + self.reader.clock)

    def told(self) -> list[str] | None:
        """The descriptions that a poll hands over."""
        self.now += 1
        changes = self.feed.poll()
        return [entry.first("description") for entry in changes.entries] if changes is not None else None


def test_a_change_is_told_after_a_poll_that_failed_behind_it() -> None:
    followed = Followed(Reader(), (PEOPLE, SERVICES))
    assert followed.told() == ["before"]
    followed.reader.forest.change("disabled")
    followed.reader.failing[SERVICES.base] = DirectoryUnavailable("dc1 does not answer")
    for _ in range(2):
        with pytest.raises(DirectoryUnavailable):
            followed.told()
    del followed.reader.failing[SERVICES.base]
    assert followed.told() == ["disabled"]
    assert followed.told() is None


def test_the_first_read_is_whole_however_often_it_fails() -> None:
    followed = Followed(Reader(failing={SERVICES.base: DirectoryUnavailable("gone")}), (PEOPLE, SERVICES))
    with pytest.raises(DirectoryUnavailable):
        followed.told()
    followed.reader.failing.clear()
    assert followed.told() == ["before"]


def test_a_forest_that_fails_in_any_way_keeps_nothing_from_the_own_one(caplog: pytest.LogCaptureFixture) -> None:
    followed = Followed(Reader(), (FOREIGN, PEOPLE))
    followed.told()
    followed.reader.failing[FOREIGN.base] = DirectoryError("gives no more than a part")
    with caplog.at_level(logging.WARNING, "tandem.directory"):
        for description in ("first", "second"):
            followed.reader.forest.change(description)
            assert followed.told() == [description]
    assert [record.getMessage().split()[0] for record in caplog.records] == ["directory.forest_unread"]


def test_everything_is_read_again_from_another_controller_and_from_one_that_was_put_back() -> None:
    followed = Followed(Reader(), (PEOPLE,))
    followed.told()
    followed.reader.forest.pool.generation += 1
    assert followed.told() == ["before"]
    followed.reader.forest.users["alice"] = (40, "earlier")
    followed.reader.forest.usn = 50
    assert followed.told() == ["earlier"]
    assert followed.told() is None


def test_everything_is_read_again_after_an_hour_even_if_the_first_attempt_fails() -> None:
    followed = Followed(Reader(), (PEOPLE,))
    followed.told()
    followed.now += ALL_S
    followed.reader.failing[HOME] = DirectoryUnavailable("gone")
    with pytest.raises(DirectoryUnavailable):
        followed.told()
    followed.reader.failing.clear()
    assert followed.told() == ["before"]


# What has not changed, and is to be told


def test_who_is_below_an_ou_that_is_renamed_is_told_by_the_new_name_at_once() -> None:
    followed = Followed(Reader(), (PEOPLE,))
    followed.told()
    forest = followed.reader.forest
    forest.usn += 1
    forest.place = (forest.usn, STAFF)
    assert followed.told() is None, "an OU whose description changes is no news"
    for place in (PEOPLE_OU, STAFF):
        forest.usn += 1
        forest.place = (forest.usn, place)
        changes = followed.feed.poll()
        assert changes is not None
        assert [str(entry.dn) for entry in changes.entries] == [f"CN=alice,{place}"]


@pytest.mark.parametrize(
    ("slow_s", "after_s"), [(0.0, FEW_S), (0.1, FEW_S), (0.5, 30.0), (10.0, MANY_S), (60.0, MANY_S)]
)
def test_who_is_deleted_unseen_is_missed_as_soon_as_comparing_is_cheap(slow_s: float, after_s: float) -> None:
    followed = Followed(Reader(slow_s=slow_s), (PEOPLE,))
    followed.feed.poll()
    followed.reader.slow_s = 0.0
    compared_at = followed.now
    followed.reader.clock = 0.0
    del followed.reader.forest.users["alice"]
    followed.reader.forest.usn += 1
    followed.now = compared_at + after_s
    assert followed.feed.poll() is None
    followed.now += 0.5
    changes = followed.feed.poll()
    assert changes is not None and changes.present == {HOME.path: frozenset()}


# Which controller answers


@dataclass
class Bound:
    """A connection to a controller, which says who it is."""

    service: bytes
    invocation: bytes | None
    open: bool = True

    def search_ext_s(self, base: str, scope: int, filter_: str, attributes: Sequence[str]) -> list[Raw]:
        """The root, or the controller's settings."""
        if not base:
            return [("", {"dsServiceName": [self.service]} if self.service else {})]
        assert base.encode() == self.service
        if self.invocation is None:
            raise ldap.INSUFFICIENT_ACCESS
        return [(base, {"invocationId": [self.invocation]})]

    def unbind_ext_s(self) -> None:
        """Close it."""
        self.open = False


DC1, DC2 = b"CN=NTDS Settings,CN=DC1", b"CN=NTDS Settings,CN=DC2"


class Pool(ControllerPool):
    """A pool that opens these connections, one after the other."""

    def __init__(self, url: str, *connections: Bound) -> None:
        super().__init__(Address(forest="example.com", url=url), Simple("reader", "secret"), 0.0)
        self._next = iter(connections)

    def _open(self, host: str) -> Bound:
        return next(self._next)


@pytest.mark.parametrize(
    ("other", "generation"),
    [
        (Bound(DC1, b"\1"), 1),  # another name, or another connection, of the same controller
        (Bound(DC2, b"\2"), 2),  # the same name, another controller
        (Bound(DC1, b"\3"), 2),  # the same controller, restored
    ],
)
def test_a_controller_is_known_by_what_it_says_and_not_by_the_name_it_is_asked_by(
    other: Bound, generation: int
) -> None:
    pool = Pool("ldaps://dc", Bound(DC1, b"\1"), other)
    pool.read(id)
    assert pool.generation == 1
    pool.close()
    pool.read(id)
    assert pool.generation == generation


def test_connections_of_two_controllers_are_not_kept_side_by_side() -> None:
    first, second = Bound(DC1, b"\1"), Bound(DC2, b"\2")
    pool = Pool("ldaps://dc", first, second)
    pool.read(lambda _: pool.read(id))  # the second is opened while the first is in use
    assert second.open and not first.open


def test_a_directory_that_does_not_name_its_controller_is_known_by_its_host_name() -> None:
    assert controller_of(Bound(b"", None)) == ""
    assert controller_of(Bound(DC1, None)) == DC1.decode()
    assert controller_of(Bound(DC1, b"\xab")) == f"{DC1.decode()} ab"


# Classes


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("top person organizationalPerson user", "user"),
        ("top person organizationalPerson user inetOrgPerson", "user"),
        ("top person organizationalPerson user acmeEmployee acmeManager", "user"),
        ("top person organizationalPerson user computer", "computer"),
        ("top person organizationalPerson user computer msDS-GroupManagedServiceAccount", "computer"),
        ("top person organizationalPerson contact acmeContact", "contact"),
        ("top tandemUser person organizationalPerson user", "user"),
        ("top tandemExchUMDialPlan", "msExchUMDialPlan"),
        ("top acmeThing", "acmeThing"),
    ],
)
def test_an_entry_is_of_the_most_derived_class_of_ours_that_it_has(classes: str, expected: str) -> None:
    raw = {"objectClass": [name.encode() for name in classes.split()], "cn": [b"x"], "sAMAccountName": [b"x$"]}
    entry = entry_of("CN=x,DC=example,DC=com", raw, str)
    assert entry is not None
    assert entry.all("objectClass") == ("top", expected)
    assert entry.first("sAMAccountName") == ("x" if expected == "computer" else "x$")
