"""Every adapter of the mail port behind one face, with what another mail program does to the same mailbox."""

from pathlib import Path
from typing import Protocol

from tandem.mail.maildir.store import MaildirStore
from tandem.mail.port import MailStore, MessageFlag
from tandem.service.threads import ThreadPool
from tandem.testing.mail import MemoryMailStore

ADDRESS = "alice@example.com"


class OtherClient(Protocol):
    """Another program that uses the mailbox of :data:`ADDRESS`."""

    def mark_seen(self, key: str) -> None:
        """Somebody reads a message."""

    def remove(self, key: str) -> None:
        """Somebody deletes a message for good."""

    def keep_out(self) -> None:
        """The store takes and gives nothing."""


class Adapter(Protocol):
    """One adapter with an empty store."""

    store: MailStore
    other: OtherClient

    def again(self) -> MailStore:
        """The store as another process sees it, or the same one after a restart."""


class MaildirClient:
    """A mail program on the disk: it moves what it sees from ``new`` to ``cur``, as Dovecot does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        (found,) = [
            p for place in ("new", "cur") for p in (self.folder / place).iterdir() if p.name.split(":")[0] == key
        ]
        return found

    def mark_seen(self, key: str) -> None:
        path = self.path(key)
        flags = set(path.name.partition(":2,")[2]) | {"S"}
        path.rename(self.folder / "cur" / f"{key}:2,{''.join(sorted(flags))}")

    def remove(self, key: str) -> None:
        self.path(key).unlink()

    def keep_out(self) -> None:
        """Mode bits stop no superuser: a file in the folder's place does."""
        if self.folder.exists():
            self.folder.rename(self.folder.with_name("away"))
        self.folder.parent.mkdir(exist_ok=True)
        self.folder.write_text("no folder")


class MaildirAdapter:
    """Maildir."""

    def __init__(self, root: Path, disk: ThreadPool) -> None:
        self.root, self.disk = root, disk
        self.store: MailStore = MaildirStore(root, disk, watch_s=0.01)
        self.other: OtherClient = MaildirClient(root / ADDRESS)

    def again(self) -> MailStore:
        return MaildirStore(self.root, self.disk)


class MemoryAdapter:
    """The fake that other tests use; it keeps the contract too."""

    def __init__(self) -> None:
        store = MemoryMailStore()
        self.store: MailStore = store
        self.other: OtherClient = MemoryClient(store)

    def again(self) -> MailStore:
        return self.store


class MemoryClient:
    def __init__(self, store: MemoryMailStore) -> None:
        self._mailbox = store.mailbox(ADDRESS)

    def mark_seen(self, key: str) -> None:
        self._mailbox.change(key, add=frozenset({MessageFlag.SEEN}))

    def remove(self, key: str) -> None:
        self._mailbox.remove(key)

    def keep_out(self) -> None:
        self._mailbox.break_down()
