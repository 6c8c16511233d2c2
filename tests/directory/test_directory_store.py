"""The file of the embedded directory: older ones are brought up to date, newer ones left alone."""

import sqlite3
from pathlib import Path

import pytest

from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryError, DirectoryUnavailable
from tandem.directory.port import Right
from tandem.directory.sqlite import store
from tandem.directory.sqlite.session import EmbeddedDirectory

VERSION_1 = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, dn TEXT NOT NULL,
    parent INTEGER REFERENCES entry(id), protected INTEGER NOT NULL DEFAULT 0);
CREATE INDEX entry_parent ON entry(parent);
CREATE TABLE value (
    entry INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE, attribute TEXT NOT NULL,
    place INTEGER NOT NULL, value TEXT NOT NULL, folded TEXT NOT NULL, PRIMARY KEY (entry, attribute, place)
) WITHOUT ROWID;
CREATE INDEX value_folded ON value(attribute, folded);
CREATE TABLE ace (
    entry INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE, principal TEXT NOT NULL, rights INTEGER NOT NULL,
    inherit TEXT NOT NULL, object_class TEXT NOT NULL, attributes TEXT NOT NULL,
    UNIQUE (entry, principal, rights, inherit, object_class, attributes));
CREATE TABLE credential (
    entry INTEGER PRIMARY KEY REFERENCES entry(id) ON DELETE CASCADE, hash TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, locked_until REAL NOT NULL DEFAULT 0);
CREATE TABLE state (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
INSERT INTO state VALUES ('change', 7), ('access', 3), ('version', 1);
INSERT INTO entry VALUES (1, 'dc=com\x1fdc=example\x1f', 'DC=example,DC=com', NULL, 0);
INSERT INTO value VALUES (1, 'objectclass', 0, 'domainDNS', 'domaindns');
INSERT INTO entry VALUES (2, 'dc=com\x1fdc=example\x1fcn=bob\x1f', 'CN=bob,DC=example,DC=com', 1, 0);
INSERT INTO value VALUES (2, 'objectclass', 0, 'user', 'user');
INSERT INTO value VALUES (2, 'tandemvoicedialplan', 0, 'Site', 'site');
INSERT INTO value VALUES (2, 'tandemvoicepolicy', 0, 'Staff', 'staff');
INSERT INTO ace VALUES (1, 'CN=bob,DC=example,DC=com', 4, 'All', '', 'description tandemvoicedialplan tandemvoicepolicy');
"""
BOB = DN.parse("CN=bob,DC=example,DC=com")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "directory.db"
    db = sqlite3.connect(path)
    db.executescript(VERSION_1.replace("\\x1f", "\x1f"))
    db.close()
    return path


def shape(path: Path) -> dict[str, set[str]]:
    """Tables and indexes, and the columns of each."""
    db = sqlite3.connect(path)
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")]
    found = {name: {row[1] for row in db.execute(f"PRAGMA table_info({name})")} for name in names}
    db.close()
    return found


def test_a_file_of_the_first_version_is_brought_up_to_date_and_kept(old: Path, tmp_path: Path) -> None:
    before = shape(old)
    session = EmbeddedDirectory(old).trusted()
    bob = session.get(BOB)
    assert bob is not None
    assert (bob.first("tandemAssignedDialPlan"), bob.first("tandemAssignedVoicePolicy")) == ("Site", "Staff")
    (ace,) = session.aces(DN.parse("DC=example,DC=com"))
    assert Right.WRITE in ace.rights
    assert ace.attributes == {"description", "tandemassigneddialplan", "tandemassignedvoicepolicy"}
    session.replace(BOB, {"displayName": ["Bob"]})
    session.close()
    store.create_embedded(tmp_path / "new.db")
    assert shape(old) == shape(tmp_path / "new.db")
    kept = tmp_path / "directory.db.version1"
    assert shape(kept) == before
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shape(old)

    def fail(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE entry ADD COLUMN changed INTEGER")
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setitem(store.MIGRATIONS, 2, fail)
    with pytest.raises(DirectoryUnavailable, match="disk full"):
        EmbeddedDirectory(old).trusted()
    assert shape(old) == before
    monkeypatch.undo()
    EmbeddedDirectory(old).trusted().close()


def test_a_file_of_a_newer_version_is_left_alone(old: Path) -> None:
    db = sqlite3.connect(old)
    db.execute("UPDATE state SET number = 99 WHERE name = 'version'")
    db.commit()
    db.close()
    with pytest.raises(DirectoryUnavailable, match="version 99, made by a newer Tandem"):
        EmbeddedDirectory(old).trusted()


def test_what_is_no_directory_takes_no_directorys_place(old: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.db"
    for content in (b"no database", b""):
        wrong.write_bytes(content)
        with pytest.raises(DirectoryError, match=r"wrong\.db"):
            store.restore(wrong, old)
    assert EmbeddedDirectory(old).trusted().get(BOB) is not None
