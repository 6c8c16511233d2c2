"""The runbook's scripts: they parse, know their shell's cmdlets, refuse other shells and forests, stop where people decide."""

import csv
import dataclasses
import functools
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from process.cmdlets import base_name, load_table, unknown
from process.contoso import HOSTILE, VERSIONS, book, hostile, mixed, organization
from process.powershell import commands, faults, functions, nodes, parse, text_of, variables
from tandem.admin.deploy.runbook import RunbookScripts
from tandem.cli.deploy.runbook import runbook
from tandem.org import model as m
from tandem.process.errors import ProcessError
from tandem.process.phases import PHASES, Side
from tandem.process.runbook.model import Language, Shell, StepTable, Text
from tandem.process.runbook.order import awaited
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.script import Script, scripts, table_csv

LYNC = ("2010", "2013", "2015")
LANGUAGES: tuple[Language, ...] = ("en", "fr")
PROGRAMS = frozenset({"certreq.exe", "exchucutil.ps1"})
"""Programs without -WhatIf that a script starts itself: each stops for a typed yes."""
READING = frozenset({"repadmin.exe"})
"""Programs that a script starts and that change nothing."""
BY_HAND = frozenset({"setup.com", "setup.exe", "ocsumutil.exe"})
"""Programs that people start: their steps are typed, and stop for a typed yes too."""
GIVEN = frozenset(
    {"tables", "saved", "certificateauthority", "whatifpreference", "_", "true", "false", "null", "env:computername",
     "env:commonprogramfiles", "env:programfiles", "exscripts", "forest", "here", "lastexitcode", "erroractionpreference"}
)  # fmt: skip
"""Variables that a block finds: PowerShell's own, Exchange's ``$exscripts``, and those of the script."""
TABLE = load_table()


def written(org: m.Organization, language: Language = "en", **share: str) -> tuple[Script, ...]:
    return scripts(book(org, **share), language)


@functools.cache
def every_script() -> list[tuple[str, Script]]:
    """The scripts of each Exchange version with one and two forests, and of each Lync version, in both languages."""
    found = []
    for language in LANGUAGES:
        for version in VERSIONS:
            for forests in (1, 2):
                found += [(language, s) for s in written(organization(*version, forests=forests), language)]
        found += [(language, s) for s in written(mixed(), language)]
        for lync in LYNC:
            found += [(language, s) for s in written(organization(lync=lync), language)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("shell", [*Shell])
def test_every_script_parses(shell: Shell) -> None:
    texts = {script.text for _, script in every_script() if script.shell is shell}
    assert texts
    for text in texts:
        assert faults(text) == []


@pytest.mark.slow
@pytest.mark.parametrize("shell", [*Shell])
def test_every_cmdlet_and_parameter_is_one_that_the_shell_has(shell: Shell) -> None:
    texts = {script.text for language, script in every_script() if script.shell is shell and language == "en"}
    assert texts
    for text in texts:
        assert list(unknown(text, shell, TABLE, PROGRAMS | READING)) == []


def test_the_table_tells_what_a_shell_has_not() -> None:
    lacking = "Set-UMServer -Identity 'x' -UMStartupMode TLS -WhatIf:$WhatIfPreference\nGet-UMService\nGet-Nothing"
    assert list(unknown(lacking, "exchange-2007", TABLE, PROGRAMS)) == [
        "1: Set-UMServer of exchange-2007 has no -umstartupmode",
        "2: exchange-2007 has no Get-UMService",
        "3: exchange-2007 has no Get-Nothing",
    ]
    assert list(unknown("Set-UMServer -UMStartupMode TLS", "exchange-2010", TABLE, PROGRAMS)) == []
    looked = "if (Get-Command -Name Get-UMServer -ErrorAction SilentlyContinue) { Get-UMServer } else { Get-UMServer }"
    assert list(unknown(looked, "windows", TABLE, PROGRAMS)) == ["1: windows has no Get-UMServer"]
    assert list(unknown("Get-UMServer", "exchange-2013", TABLE, PROGRAMS)) == ["1: exchange-2013 has no Get-UMServer"]


def blocks(org: m.Organization) -> list[tuple[str, str]]:
    """Each step's blocks that change something, as id and text."""
    return [(s.id, "\n".join(each)) for s in book(org).steps for each in (s.commands, s.undo) if each]


@pytest.mark.slow
def test_every_changing_cmdlet_takes_whatif_or_stands_where_whatif_is_not_asked_for() -> None:
    seen = 0
    for version in VERSIONS:
        for id_, text in blocks(organization(*version)):
            for command in commands(text):
                row = TABLE.get(base_name(command))
                if row is not None and row.changes:
                    seen += 1
                    assert "-WhatIf:$WhatIfPreference" in command.text or command.guard, (id_, command.text)
    assert seen > 100


def test_a_program_without_whatif_stops_for_a_typed_yes() -> None:
    started: set[str] = set()
    for version in VERSIONS:
        for id_, text in blocks(organization(*version)):
            for command in commands(text):
                name = base_name(command)
                if "." in name or name in PROGRAMS:
                    started.add(name)
                    assert name in PROGRAMS, (id_, name)
                    assert "Read-Host" in command.guard.partition("else {")[0], (id_, command.text)
    assert started == PROGRAMS


def test_programs_that_people_start_are_typed_and_the_script_waits_for_them() -> None:
    named: set[str] = set()
    for version in VERSIONS:
        for step in book(organization(*version)).steps:
            found = {p.lower() for each in step.typed for p in re.findall(r"[\w-]+\.(?:exe|com)\b(?!\.)", each.en)}
            named |= {program for program in found if program in BY_HAND}
    assert named == BY_HAND
    frame = written(organization())[0].text
    assert "$Entry.Typed.Count -gt 0 -and -not (Test-TandemYes $words.ByHand)" in frame


@pytest.mark.slow
def test_each_block_finds_every_variable_that_it_reads() -> None:
    """Strict mode throws where one was never set; commands, checks and undo each have a scope of their own."""
    for version in VERSIONS:
        for forests in (1, 2):
            for step in book(organization(*version, forests=forests)).steps:
                for each in (step.commands, step.checks, step.undo, *((s.expression,) for s in step.saves)):
                    text = "\n".join(each)
                    assert variables(text) - assigned(text) <= GIVEN, step.id


def assigned(script: str) -> set[str]:
    """The variables that a script sets: by assignment, in a foreach, or as a parameter."""
    found = set()
    for node in nodes(parse(script)):
        if node.type in ("left_assignment_expression", "script_parameter", "function_parameter_declaration"):
            found |= variables(text_of(node))
        elif node.type == "foreach_statement":
            found |= {name for each in node.children if each.type == "variable" for name in variables(text_of(each))}
    return found


def test_there_is_one_script_for_each_forest_and_shell_and_each_says_which_first() -> None:
    found = written(organization("2010", 2, forests=2))
    assert len({(s.forest, s.shell) for s in found}) == len(found)
    exchange = next(s for s in found if s.shell is Shell.EXCHANGE_2010)
    lync = next(s for s in found if s.shell is Shell.LYNC_2013)
    assert (exchange.forest, lync.forest) == ("mail.example.com", "example.com")
    guard = exchange.text.partition("$words")[0]
    assert ".EndsWith(',CN=Configuration,DC=mail,DC=example,DC=com'" in guard
    assert r"AdminDisplayVersion)" in guard and r"'^Version 14\.'" in guard and guard.count("throw") == 3
    guard = lync.text.partition("$words")[0]
    assert "GetCurrentForest().Name" in guard and "'example.com'" in guard and r"'\(5\.'" in guard


@pytest.mark.parametrize(
    ("version", "said", "fits"),
    [
        ("2007", "Version 8.3 (Build 83.6)", True),
        ("2007", "Version 14.3 (Build 123.4)", False),
        ("2010", "Version 14.3 (Build 123.4)", True),
        ("2010", "Version 15.0 (Build 1497.2)", False),
        ("2013", "Version 15.0 (Build 1497.2)", True),
        ("2013", "Version 15.1 (Build 225.42)", False),
        ("2016", "Version 15.1 (Build 225.42)", True),
        ("2016", "Version 15.0 (Build 1497.2)", False),
        ("2016", "Version 15.2 (Build 221.12)", False),
    ],
)
def test_the_guard_takes_the_version_of_its_own_shell_only(version: str, said: str, fits: bool) -> None:
    """What AdminDisplayVersion says: 8.3 is 2007 SP3, 14.3 is 2010 SP3, 15.0 is 2013, 15.1 is 2016, 15.2 is 2019."""
    found = written(organization(version, 3 if version in ("2007", "2010") else 0))
    text = next(s for s in found if s.shell == f"exchange-{version}").text
    pattern = re.search(r"AdminDisplayVersion\)\" -notmatch '([^']*)'", text)
    assert pattern is not None and bool(re.search(pattern[1], said)) is fits


@pytest.mark.slow
def test_the_guard_stands_before_anything_that_does_something() -> None:
    for _, script in every_script():
        before = script.text.partition("$words = @{")[0]
        names = {command.name for command in commands(before)}
        allowed = {
            "Set-StrictMode",
            "Get-Command",
            "Get-OrganizationConfig",
            "Get-ExchangeServer",
            "Get-CsServerVersion",
        }
        assert names <= allowed and "throw" in before


@pytest.mark.slow
def test_a_script_is_powershell_2() -> None:
    for _, script in every_script():
        assert script.text.startswith("#requires -Version 2.0\n")
        for later in ("[pscustomobject]", "[ordered]", "ConvertTo-Json", "-Encoding", "$PSScriptRoot", "-notin "):
            assert later.lower() not in script.text.lower(), later
        assert not re.search(r"\s-in\s", script.text, re.IGNORECASE)


def test_a_script_stops_before_a_step_that_waits_for_the_other_team() -> None:
    everything = book(organization())
    exchange = next(s for s in written(organization()) if s.shell is Shell.EXCHANGE_2013).text
    users = entry(exchange, "11/exchange-um-users")
    assert "10 Remaining Enterprise Voice configuration (Lync Server administrators, example.com)" in users
    assert "Exchange administrators" not in field(users, "Awaits")  # its own phases are in the same script
    lync = next(s for s in written(organization()) if s.shell is Shell.LYNC_2013).text
    front_end = next(s.id for s in everything.steps if s.id.startswith("7/lync-front-end"))
    assert "7 Permissions, gateways and hunt groups (exchucutil)" in field(entry(lync, front_end), "Awaits")
    assert "$Step.Count -eq 0 -and -not (Test-TandemNeeds $entry $left $asked)" in lync


def entry(script: str, id_: str) -> str:
    """The entry of a step in the script's list of steps."""
    return script.partition(f"Id = '{id_}'")[2].partition("\n})")[0]


def field(text: str, name: str) -> str:
    """One line of an entry."""
    return next(line for line in text.split("\n") if line.startswith(f"    {name} = "))


def test_a_step_waits_for_its_phases_needs_in_its_own_and_the_voice_forest() -> None:
    """Phase 11 needs 3, 6 and 10 (docs/process.md); what another messaging forest does there is not waited for."""
    org = organization(forests=2)
    every = book(org).every
    step = next(s for s in every if s.id.startswith("11/exchange-um-users"))
    other = dataclasses.replace(
        next(s for s in every if s.id.startswith("3/exchange")), forest="other.example", id="3/exchange-x"
    )
    before = awaited(step, (*every, other), org.voice_forest)
    assert {each.phase.number for each in before} == {3, 6, 10} and other not in before
    assert {each.side for each in before} == {Side.MESSAGING, Side.VOICE}


def test_a_messaging_forest_waits_for_the_directory_of_its_own_and_the_voice_forest_alone() -> None:
    """The trusts of a forest are no concern of another Exchange organization; Lync Server waits for all."""
    org = organization(forests=2)
    every = book(org).every
    own = next(s for s in every if s.id.startswith("0/exchange-preconditions"))
    voice = next(s for s in every if s.id.startswith("0/lync-directory"))
    far = dataclasses.replace(own, forest="other.example", id="0/exchange-preconditions@other.example")
    steps = (*every, far)
    first = next(s for s in every if s.id.startswith("1/exchange-first-server"))
    before = awaited(first, steps, org.voice_forest)
    assert own in before and voice in before and far not in before
    of_lync = dataclasses.replace(first, forest=org.voice_forest, side=Side.VOICE)
    assert far in awaited(of_lync, steps, org.voice_forest)


def test_a_step_of_one_messaging_forest_does_not_wait_within_its_phase_for_another_forests() -> None:
    org = organization(forests=2)
    some = book(org).every[0]
    first, second, far = (
        dataclasses.replace(some, id=id_, phase=PHASES[1], side=Side.MESSAGING, forest=forest)
        for id_, forest in (
            ("1/exchange-first-server@a.example", "a.example"),
            ("1/exchange-servers@a.example", "a.example"),
            ("1/exchange-first-server@b.example", "b.example"),
        )
    )
    assert awaited(second, (first, second, far), org.voice_forest) == (first,)


def test_a_forest_of_two_versions_has_a_script_for_each_and_the_newer_waits_for_the_older() -> None:
    org = mixed()
    found = {s.shell: s.text for s in written(org)}
    assert {Shell.EXCHANGE_2007, Shell.EXCHANGE_2013} <= set(found)
    security = next(s for s in book(org).steps if s.phase.number == 7 and s.side is Side.MESSAGING)
    older = next(s for s in book(org).steps if s.phase.number == 3 and s.shell is Shell.EXCHANGE_2007)
    assert older in awaited(security, book(org).every, org.voice_forest)
    for shell in (Shell.EXCHANGE_2007, Shell.EXCHANGE_2013):
        assert all(f"Id = '{s.id}'" in found[shell] for s in book(org).steps if s.shell is shell)


def test_many_users_are_rows_of_a_table_and_not_lines_of_the_script() -> None:
    org = organization()
    users = []
    for at in range(300):
        mail, line = f"u{at:04}@example.com", f"tel:+1425555{at:04}"
        user = dataclasses.replace(org.users[0], account=f"u{at:04}", mail=mail, sip_address=mail, line_uri=line)
        users.append(dataclasses.replace(user, extension=f"{at:04}"))
    found = written(dataclasses.replace(org, users=tuple(users)))
    assert sum(text.count("u0299@example.com") for s in found for text in s.tables.values()) >= 2
    assert not any("u0299@example.com" in s.text for s in found)


def test_backing_out_asks_first_and_sets_aside_what_was_saved() -> None:
    text = written(organization())[0].text
    undo = text.partition("function Undo-TandemStep")[2].partition("\n}")[0]
    order = [undo.index(word) for word in ("Test-TandemYes $words.BackOut", "& $Entry.Undo", "Move-Item")]
    assert order == sorted(order)
    branch = text.partition("if ($Undo) {")[2].partition("\n}")[0]
    assert (
        branch.index("$words.NoUndo") < branch.index("Invoke-TandemRecorded $entry[0] $true") < branch.index("return")
    )


def test_a_failed_step_stops_the_script_after_its_result_is_written() -> None:
    text = written(organization())[0].text
    recorded = text.partition("function Invoke-TandemRecorded")[2].partition("\n}")[0]
    order = [
        recorded.index(word)
        for word in (
            "Start-Transcript",
            "$outcome = 'failed'",
            "catch {\n        $message",
            "Stop-Transcript",
            "Write-TandemResult",
            "if ($outcome -eq 'failed') { throw",
        )
    ]
    assert order == sorted(order)


def test_notes_and_what_people_type_are_shown_by_the_script() -> None:
    org = organization()
    for language, text in (("en", "Run on: "), ("fr", "À exécuter sur : ")):
        found = written(org, language)  # type: ignore[arg-type]
        for step in book(org).steps:
            script = next(s for s in found if (s.forest, s.shell) == (step.forest, step.shell))
            shown = entry(script.text, step.id)
            for each in (*step.notes, *step.typed):
                said = " ".join((each.fr if language == "fr" else each.en).split())
                assert f"'{said}'" in shown.replace("''", "'"), step.id
            assert text in field(shown, "Notes")


def test_what_a_step_saves_is_written_before_its_first_command_and_never_over_the_first() -> None:
    text = written(organization())[0].text
    body = text.partition("function Invoke-TandemStep")[2].partition("\n}")[0]
    order = [body.index(word) for word in ("Save-TandemState", "$Entry.Commands |", "$Entry.Checks |")]
    assert order == sorted(order)
    save = text.partition("function Save-TandemState")[2].partition("\n}")[0]
    assert save.index("Test-Path") < save.index("SavedBefore") < save.index("Export-Clixml")


def test_the_file_of_what_was_saved_is_the_one_that_the_step_backs_out_with() -> None:
    read = 0
    for version in VERSIONS:
        for step in book(organization(*version)).steps:
            kept = {f"{re.sub(r'[^A-Za-z0-9.-]', '_', step.id)}-{each.name}.xml" for each in step.saves}
            for name in re.findall(r"Join-Path \$saved '([^']+)'", "\n".join(step.undo)):
                read += 1
                assert name in kept, step.id
    assert read or not any(step.undo for step in book(organization()).steps)


@pytest.mark.slow
def test_a_hostile_text_stays_within_its_literal() -> None:
    for language in LANGUAGES:
        for script in written(hostile(), language):
            assert faults(script.text) == []
            assert not {name.lower() for name in map(base_name, commands(script.text))} & {
                "remove-item",
                "stop-computer",
            }
            root = parse(script.text)
            kinds = {n.type for n in nodes(root) if n.text and b"Stop-Computer" in n.text and not n.children}
            assert kinds <= {"verbatim_string_characters", "comment", "string_literal"}, kinds


def test_a_hostile_text_stays_within_its_field_of_a_table_and_of_json() -> None:
    found = RunbookScripts(scripts=written(hostile()))
    for script in found.scripts:
        for text in script.tables.values():
            rows = list(csv.reader(io.StringIO(text)))
            assert len({len(row) for row in rows}) == 1
    assert [each["text"] for each in json.loads(json.dumps(found.to_json()))] == [s.text for s in found.scripts]


def test_a_table_is_read_back_as_it_was_with_every_value_quoted() -> None:
    rows = ({"User": 'a"b,c', "Line": "=1+1"}, {"User": HOSTILE, "Line": "+14255550100"}, {"User": "é", "Line": ""})
    text = table_csv(StepTable("users.csv", rows))
    assert text.splitlines()[1] == '"a""b,c","=1+1"'
    assert list(csv.DictReader(io.StringIO(text))) == [dict(row) for row in rows]
    with pytest.raises(ProcessError, match="control character"):
        table_csv(StepTable("users.csv", ({"User": "a\nb"},)))


def test_the_files_of_a_script_begin_with_a_byte_order_mark_and_lie_in_one_folder() -> None:
    table = StepTable("users.csv", ({"User": "é"},))
    everything = book(organization())
    step = dataclasses.replace(everything.steps[0], tables=(table,))
    script = scripts(dataclasses.replace(everything, steps=(step,), every=(step,)), "en")[0]
    files = dict(script.files())
    assert list(files) == [f"{script.name}.ps1", "users.csv"]
    assert all(data.startswith(b"\xef\xbb\xbf") for data in files.values())
    assert files["users.csv"] == b'\xef\xbb\xbf"User"\r\n"\xc3\xa9"\r\n'


def test_two_tables_of_one_script_and_name_are_never_mixed_up() -> None:
    everything = book(organization())
    tables = [StepTable("users.csv", ({"User": name},)) for name in ("alice", "bob")]
    steps = tuple(
        dataclasses.replace(everything.steps[0], id=f"1/x-{at}", tables=(table,)) for at, table in enumerate(tables)
    )
    with pytest.raises(ProcessError, match=r"users\.csv"):
        scripts(dataclasses.replace(everything, steps=steps, every=steps), "en")


def test_french_changes_no_command_and_english_texts_are_said_to_be_there() -> None:
    for english, french in zip(written(organization(), "en"), written(organization(), "fr"), strict=True):
        blocks_of = [
            re.findall(r"(?ms)^    (?:Commands|Checks|Undo) = .*?(?=^    \w+ = |^\}\))", s.text)
            for s in (english, french)
        ]
        assert blocks_of[0] == blocks_of[1] and english.text != french.text
        assert "Tapez oui :" in french.text and "en anglais" in french.text


def test_a_point_of_no_return_is_shown_and_stopped_at() -> None:
    everything = book(organization())
    step = dataclasses.replace(everything.steps[0], no_return=Text("It's final.", "C'est définitif."))
    text = scripts(dataclasses.replace(everything, steps=(step,), every=(step,)), "en")[0].text
    assert "NoReturn = 'It''s final.'" in text
    assert "if ($Entry.NoReturn -and -not (Test-TandemYes $words.GoOn))" in text


def test_a_step_of_one_server_runs_there_only() -> None:
    everything = book(organization())
    step = dataclasses.replace(everything.steps[0], server="ex1.example.com")
    text = scripts(dataclasses.replace(everything, steps=(step,), every=(step,)), "en")[0].text
    assert "Server = 'ex1.example.com'" in text and "$entry.Server -and $entry.Server -ne $here" in text


@pytest.mark.slow
def test_the_frame_defines_no_function_that_a_shell_has() -> None:
    for script in written(organization()):
        assert all("-tandem" in name for name in functions(script.text))


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(runbook, [str(folder / "organization.yaml"), *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_scripts_go_into_a_folder_and_other_formats_do_not(deployed: Path, tmp_path: Path) -> None:
    code, _, said = run(deployed, "--format", "ps1")
    assert code == 2 and "--out" in said
    code, _, said = run(deployed, "--format", "ps1", "--out", str(tmp_path / "scripts"))
    assert code == 0 and "nothing to do by hand" in said
    file = tmp_path / "file"
    file.write_text("")
    code, _, said = run(deployed, "--format", "ps1", "--out", str(file))
    assert code == 2 and "expected a folder" in said


def test_an_unknown_forest_is_named(deployed: Path) -> None:
    done = CliRunner().invoke(runbook, [str(deployed / "organization.yaml"), "--forest", "nowhere.example"])
    assert "there is no forest 'nowhere.example'" in str(done.exception)


def test_one_forests_or_teams_scripts_hold_nothing_of_the_others() -> None:
    org = organization(forests=2)
    assert {s.forest for s in written(org, forest="mail.example.com")} == {"mail.example.com"}
    only: Runbook = book(org, team="voice")
    assert {step.side for step in only.steps} == {Side.VOICE} and only.every != only.steps
