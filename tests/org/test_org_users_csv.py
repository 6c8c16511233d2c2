"""Users in a CSV file, as spreadsheets write it (field cases 16)."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.org.errors import Severity
from tandem.org.example.text import example_text
from tandem.org.findings import DeclaredAt, Findings
from tandem.org.load import Loaded, load_organization
from tandem.org.users_csv import UserDefaults, UsersFile

OU = "OU=People,DC=example,DC=com"


def load(folder: Path, users: bytes | str, *, text: str = "") -> Loaded:
    (folder / "users.csv").write_bytes(users.encode() if isinstance(users, str) else users)
    path = folder / "organization.yaml"
    path.write_text((text or example_text()).replace("\nusers:\n", "\nusers_csv: users.csv\nusers:\n"))
    return load_organization(path)


def names(loaded: Loaded) -> list[str]:
    assert loaded.organization is not None, loaded.findings
    return [user.display_name for user in loaded.organization.users[4:]]


def errors(loaded: Loaded) -> list[str]:
    return [str(f) for f in loaded.findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize(
    "users",
    [
        f'account,display_name,forest,ou\nerin,Erin Évans,example.com,"{OU}"\n',
        f"account;display_name;forest;ou\r\nerin;Erin Évans;example.com;{OU}\r\n",
        f"account\tdisplay_name\tforest\tou\nerin\tErin Évans\texample.com\t{OU}\n",
        f"sep=;\r\naccount;display_name;ou\r\nerin;Erin Évans;{OU}\r\n",
        "Account,Display Name\nerin,Erin Évans\n",
        "ACCOUNT, display-name \nerin,Erin Évans\n",
        "account,display_name\nerin,Erin Évans\n,\n ,,,\n",
        "account,display_name,,\nerin,Erin Évans,,\n,,,\n",
        'account;display_name\n"erin";"Erin Évans"',
        "\ufeffaccount,display_name\rerin,Erin Évans\r",
    ],
    ids=[
        "commas",
        "semicolons",
        "tabs",
        "sep",
        "capitals",
        "blanks",
        "empty rows",
        "empty columns",
        "quotes",
        "CR only",
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, users: str) -> None:
    loaded = load(tmp_path, users)
    assert names(loaded) == ["Erin Évans"]
    assert (loaded.users, loaded.organization.users[-1].forest) == (5, "example.com")  # type: ignore[union-attr]
    assert loaded.organization.users[-1].ou == OU  # type: ignore[union-attr]


def test_a_column_says_what_an_account_was(tmp_path: Path) -> None:
    loaded = load(tmp_path, "account,display_name,was\nerin,Erin,erna\nfrank,Frank,\n")
    assert [user.was for user in loaded.organization.users[-2:]] == ["erna", ""]  # type: ignore[union-attr]


def test_windows_1252_is_read_and_said_with_the_line(tmp_path: Path) -> None:
    loaded = load(tmp_path, "account;display_name\nfred;Fred\nerin;Erin Évans\nzoe;Zoé\n".encode("cp1252"))
    assert names(loaded) == ["Fred", "Erin Évans", "Zoé"]
    (said,) = [f for f in loaded.findings if f.file == "users.csv"]
    assert (said.severity, said.line) == (Severity.WARNING, 3)
    assert said.found == "not UTF-8; read as Windows-1252: erin;Erin Évans"


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ("", "users.csv:1: error: no header; expected a first line with the columns' names, of account,"),
        ("\ufeff", "users.csv:1: error: no header"),
        ("\r\n\r\n", "users.csv:1: error: no header"),
        (";;;\n", "users.csv:1: error: no header"),
        (
            "account,display_name,extension,Extension\nx,X,1,2\n",
            "users.csv:1: error: extension: this column appears twice",
        ),
        (
            "account,mail\nx,x@example.com\ny,y@example.com\n",
            "users.csv:1: error: display_name: this column is missing",
        ),
        ("account,display_nam\nx,X\n", "users.csv:1: error: display_nam: unknown column; expected 'display_name'?"),
        ("erin,Erin\nfred,Fred\n", "users.csv:1: error: erin: unknown column; expected columns named account,"),
        ('account,display_name\nerin,"Erin\n', "users.csv:2: error: not CSV: unexpected end of data"),
        ("sep=,\naccount,display_name\nerin,Erin,x\n", "users.csv:3: error: 3 values; expected 2"),
        ("account,display_name\nerin\n", "users.csv:2: error: 1 values; expected 2"),
        ("account,display_name\nerin,Erin\x00\n", "users.csv:2: error: "),
        (
            b"account,display_name\nfred,Fred\nerin,\x81\n",
            "users.csv:3: error: a byte that is neither UTF-8 nor Windows-1252",
        ),
        ("account,display_name\n".encode("utf-16"), "users.csv:1: error: UTF-16; expected a file saved as UTF-8"),
    ],
)
def test_what_cannot_be_meant_is_one_error(tmp_path: Path, users: bytes | str, expected: str) -> None:
    loaded = load(tmp_path, users)
    found = [error for error in errors(loaded) if not error.startswith(expected)]
    assert len(errors(loaded)) == 1 and not found


def test_a_forest_is_that_of_the_ou_where_there_are_several(tmp_path: Path) -> None:
    forest = "forests:\n  - name: example.com\n    domains: [example.com]\n"
    two = forest + "  - name: partner.example\n    domains: [partner.example]\n"
    users = f'account,display_name,ou\nerin,Erin,"{OU}"\n'
    loaded = load(tmp_path, users, text=example_text().replace(forest, two))
    assert loaded.organization is not None and loaded.organization.users[-1].forest == "example.com"
    missing = load(tmp_path, "account,display_name\nerin,Erin\nfred,Fred\n", text=example_text().replace(forest, two))
    assert [error.partition(";")[0] for error in errors(missing)] == [
        "users.csv:1: error: forest: this column is missing"
    ]


def test_a_mistake_elsewhere_in_the_file_does_not_hide_those_of_the_users(tmp_path: Path) -> None:
    text = example_text().replace("extension_digits: 4", "extension_digits: four")
    found = errors(load(tmp_path, "account,display_name\nerin,\n", text=text))
    assert len(found) == 2 and "extension_digits" in found[0] and "display_name: missing" in found[1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.binary(max_size=60), st.sampled_from([b"", b"sep=;\n", b"account;display_name\n", b"account,display_name\r"]))
def test_no_bytes_make_the_reader_raise(tmp_path: Path, data: bytes, before: bytes) -> None:
    (tmp_path / "users.csv").write_bytes(before + data)
    declared = DeclaredAt(file="organization.yaml", line=1, key="users_csv")
    UsersFile(tmp_path, "users.csv", Findings(), UserDefaults(forest="example.com")).read(declared)
