"""Mistakes of those who write YAML by hand are told by their cause (newcomer's 56 typos)."""

from pathlib import Path

import pytest

from tandem.org.errors import Finding, Severity
from tandem.org.example.text import example_text
from tandem.org.load import load_organization


def findings(folder: Path, text: str) -> list[Finding]:
    path = folder / "organization.yaml"
    path.write_text(text)
    return list(load_organization(path).findings)


@pytest.mark.parametrize(
    ("text", "line", "found", "expected"),
    [
        ("a: 1\nf:\n  - domains: [example.com)\nb: 2\n", 3, "the [ on this line is not closed, but another kind", "]"),
        ("a: 1\nf:\n  - {name: x]\nb: 2\n", 3, "the { on this line is not closed, but another kind", "}"),
        ("a: [x, y\nb: 2\n", 1, "the [ on this line is not closed", "]"),
        ("a: 1\nname: Adams: Alice\nb: 2\n", 2, "a colon and a blank within a value", "quotes around the value"),
        ("l:\n  - display_name: Adams: Alice\n", 2, "a colon and a blank within a value", "quotes around the value"),
        (
            'p:\n  - pattern: "^(\\d{4})$"\n',
            2,
            "a backslash within double quotes",
            r"single quotes around a pattern: '^(\d",
        ),
        ("a: 1\nb:\u00a02\nc: 3\n", 2, "a non-breaking space", "blanks"),
        ("a:\n  - b: 1\n\tc: 2\n", 3, "a tab at the begin of the line", "blanks"),
        ("a:\n\t- b: 1\n", 2, "a tab at the begin of the line", "blanks"),
        ("a:\n  - b: 1\n     c: 2\n", 3, "a key where none can be", "the indentation of its neighbours"),
        ("a:\n  - b: 1\n   c: 2\n", 3, "a line whose indentation fits no line before", "the indentation of its"),
        ("a:1\nb: 2\n", 2, "a key where none can be", "a blank behind each colon, also on the line before"),
        ("a: 1\nb 2\nc: 3\n", 2, "no colon after 'b 2'", "'key: value'"),
        ("a: @x\n", 1, "a value that begins with @", "quotes around it"),
        ("a: *x\n", 1, "a value that begins with *", "quotes around it"),
        ('a: "x\nb: 2\n', 1, "the quote on this line is not closed", "a quote at its end"),
        ("a: 1\n---\nb: 2\n", 2, "a second document (---)", "one organization in a file"),
        ("a: \x01\n", 0, "unacceptable character #x0001", "indentation by spaces"),
    ],
)
def test_a_mistake_of_writing_is_told_by_its_cause(
    tmp_path: Path, text: str, line: int, found: str, expected: str
) -> None:
    (finding,) = findings(tmp_path, text)
    assert finding.line == line
    assert finding.found.startswith(f"not YAML: {found}")
    assert expected in finding.expected


def errors(folder: Path, before: str, after: str) -> list[str]:
    assert before in example_text()
    found = findings(folder, example_text().replace(before, after))
    return [str(each).partition(": ")[2] for each in found if each.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("um_dial_plans:", "um_dialplans:", "error: um_dialplans: unknown key; expected 'um_dial_plans'?"),
        ("forests:", "forest:", "error: forest: unknown key; expected 'forests'?"),
        (
            "    mail: alice@example.com",
            "    email: alice@example.com",
            "error: user alice, email: unknown key; expected 'mail'?",
        ),
        (
            "um_dial_plans:\n  - name: Main",
            "um_dial_plans:\n  - name: Mian",
            "error: um_mailbox_policies[0]: there is no UM dial plan 'Main', which 2 places name; expected one of those "
            "declared: Lobby, Mian",
        ),
        (
            "\nvoice_policies:",
            "\nvoice_policies\u00a0:",
            "error: voice_policies\u00a0: unknown key (with a non-breaking space, which looks like a blank); "
            "expected 'voice_policies'?",
        ),
    ],
)
def test_one_mistake_is_told_once(tmp_path: Path, before: str, after: str, expected: str) -> None:
    found = errors(tmp_path, before, after)
    assert found[0] == expected
    follows = [each for each in found[1:] if "there is no mailbox policy 'Main Default Policy'" not in each]
    assert follows == []


def test_a_pattern_is_shown_as_it_is_written_and_with_the_reason(tmp_path: Path) -> None:
    (found,) = errors(tmp_path, r"pattern: ^(\d{4})$", r"pattern: ^(?!911)(\d{4})$")
    assert r"rules[0]: pattern '^(?!911)(\d{4})$': it has (?!, look-around, which is not supported; write what" in found


def test_pools_of_kind_lync_run_patterns_that_ours_cannot(tmp_path: Path) -> None:
    warnings(
        tmp_path,
        (r"pattern: ^(\d{4})$", r"pattern: ^(?!911)(\d{4})$"),
        ("kind: tandem\n    pool_type", "kind: lync\n    pool_type"),
        ("kind: tandem\n\num_dial_plans", 'kind: exchange\n    version: "2013"\n\num_dial_plans'),
    )


def warnings(folder: Path, *replaced: tuple[str, str]) -> list[str]:
    text = example_text()
    for before, after in replaced:
        assert before in text
        text = text.replace(before, after)
    found = findings(folder, text)
    assert not [each for each in found if each.severity is Severity.ERROR], found
    return [f"{each.key}: {each.found}; {each.expected}" for each in found]


def test_users_without_a_voice_dial_plan_in_force_are_warned_of(tmp_path: Path) -> None:
    found = warnings(tmp_path, ("- identity: Global\n    simple_name", "- identity: Berlin\n    simple_name"))
    assert (
        "voice_pools[0]: no voice dial plan is in force for 3 user(s), such as alice: they can dial no number; "
        "a voice dial plan Global or Registrar:pool1.example.com"
    ) in found


VOICE_FOREST = "  - {name: voice.example.net, domains: [voice.example.net], trusts: [example.com]}\n"


def test_a_um_server_in_a_forest_without_dial_plans_is_warned_of(tmp_path: Path) -> None:
    found = warnings(
        tmp_path,
        ("    domains: [example.com]\n", "    domains: [example.com]\n" + VOICE_FOREST),
        (
            "messaging_servers:\n",
            "messaging_servers:\n  - {fqdn: um9.voice.example.net, forest: voice.example.net, kind: tandem}\n",
        ),
    )
    assert (
        "messaging_servers[0]: a messaging server of voice.example.net, which has no UM dial plan: it answers no call; "
        "a server of example.com"
    ) in found


def test_a_forest_without_a_directory_administrator_of_its_own_is_told(tmp_path: Path) -> None:
    found = warnings(tmp_path, ("    domains: [example.com]\n", "    domains: [example.com]\n" + VOICE_FOREST))
    assert any(each.startswith("forests[1]: no declared administrator is in Domain Admins there") for each in found)


@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        (
            "\nvoice_policies:",
            "\npstn_gateways:\n  - {fqdn: gw.example.com, pool: pool1.example.com}\nvoice_policies:",
            "pstn_gateways[0]: 1 PSTN gateway(s) and 0 voice route(s), but no call goes to the PSTN",
        ),
        (
            "\nvoice_policies:",
            "\num_auto_attendants:\n  - {name: Reception, um_dial_plan: Main}\nvoice_policies:",
            "um_auto_attendants[0]: auto attendant Reception: attendants are not served by Tandem in this release",
        ),
        (
            "messaging_servers:\n",
            "messaging_servers:\n  - {fqdn: um2.example.com, forest: example.com}\n",
            "um_dial_plans[0]: 2 UM servers of kind tandem for one dial plan: each has the mailboxes of its home only",
        ),
    ],
)
def test_what_this_release_does_not_serve_is_warned_of(tmp_path: Path, before: str, after: str, warning: str) -> None:
    assert any(each.startswith(warning) for each in warnings(tmp_path, (before, after)))
