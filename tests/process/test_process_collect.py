"""Collectors: they parse, only read, use what each shell has, and read every property of docs/observation.md."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell
from click.testing import CliRunner

import observed
from process.collected_cmdlets import (
    CERTIFICATE,
    CMDLETS,
    COMMON,
    E2007,
    METHODS,
    NOT_2007,
    POWERSHELL,
    PROPERTIES,
    TYPES,
    WRITING,
)
from process.test_process_observe import TWO_FORESTS
from tandem.cli.main import tandem
from tandem.org.load import require_organization
from tandem.process.observing.collecting.script import CollectorScript
from tandem.process.observing.format import SECTIONS, SHELLS

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
ALL = [shell for shells in SHELLS.values() for shell in shells]
READERS = {"Get-Text", "Get-Texts", "Get-Number", "Get-Flag", "Get-Flags", "Get-Time", "Get-Name", "Get-Names"}
READERS |= {"Get-Value", "Get-First"}
every_shell = pytest.mark.parametrize("shell", ALL)
NEWER = re.compile(
    r"\[pscustomobject\]|\[ordered\]|ConvertTo-Json|\s-in\s|\s-notin\s|::new\(|Get-CimInstance|Get-FileHash|-Raw\b|-shl\b|\$PSItem",
    re.IGNORECASE,
)
"""What PowerShell 2 does not have."""


def script(shell: str, forest: str = "proseware.example") -> str:
    return CollectorScript(shell=shell, forest=forest).text()


def walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: tree_sitter.Node | None) -> str:
    return node.text.decode() if node is not None and node.text is not None else ""


def tree(source: str) -> list[tree_sitter.Node]:
    return list(walk(PARSER.parse(source.encode()).root_node))


def commands(nodes: list[tree_sitter.Node]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Name, parameters and other arguments of each command."""
    for node in nodes:
        if node.type != "command":
            continue
        below = [each for child in node.children for each in own(child)]
        name = next((text(n) for n in below if n.type == "command_name"), "")
        given = [text(n).lstrip("-") for n in below if n.type == "command_parameter"]
        yield name, given, [text(n) for n in below if n.type in ("string_literal", "generic_token")]


def own(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """The nodes of a command, without those of commands within it."""
    if node.type == "command":
        return
    yield node
    for child in node.children:
        yield from own(child)


def sections(source: str) -> dict[str, str]:
    """The block of each section by its name."""
    found = {}
    for node in tree(source):
        if node.type == "command" and text(node).startswith("Write-Section '"):
            name, _, body = text(node).removeprefix("Write-Section '").partition("'")
            found[name] = body
    return found


def functions(nodes: list[tree_sitter.Node]) -> set[str]:
    return {text(n) for n in nodes if n.type == "function_name"}


def read(body: str) -> set[str]:
    """The properties that a block reads through the script's own readers."""
    return {
        words[-1].strip("'") for name, _, words in commands(tree(f"& {body}")) if name in READERS and words
    }  # the property is the last argument


@every_shell
def test_a_collector_parses_and_is_pure_ascii(shell: str) -> None:
    source = script(shell)
    assert [text(n)[:80] for n in tree(source) if n.is_error or n.is_missing] == []
    assert source.isascii()
    assert "\r" not in source


@every_shell
def test_a_collector_has_nothing_that_powershell_2_lacks(shell: str) -> None:
    assert NEWER.findall(script(shell)) == []


def unknown_commands(source: str, shell: str) -> list[str]:
    """Commands and parameters that a collector may not use in a shell."""
    nodes = tree(source)
    mine, out = functions(nodes), []
    for name, given, _ in commands(nodes):
        if name in mine or name == "":  # "" is `& $Read`, see below
            continue
        known = CMDLETS.get(name)
        if name in POWERSHELL:
            allowed = frozenset(POWERSHELL[name])
        elif known is None or shell not in known.shells or not name.startswith("Get-"):
            out.append(name)
            continue
        else:
            allowed = (known.parameters - (known.not_2007 if shell == E2007 else frozenset())) | COMMON
        out += [f"{name} -{each}" for each in given if each not in allowed]
    return out


def unknown_calls(source: str) -> list[str]:
    """Calls of .NET that a collector may not make."""
    out = []
    for node in tree(source):
        if node.type != "invokation_expression":
            continue
        arguments = text(node.children[-1])
        target = text(node).removesuffix(arguments)
        method = re.split(r"::|\.", target)[-1]
        if not (method in METHODS or arguments.startswith(WRITING.get(target, ()))):
            out.append(text(node))
    return out


@every_shell
def test_a_collector_calls_only_cmdlets_and_parameters_that_its_shell_has_and_that_read(shell: str) -> None:
    assert unknown_commands(script(shell), shell) == []


@every_shell
def test_a_collector_calls_only_methods_that_read_or_write_its_own_file(shell: str) -> None:
    assert unknown_calls(script(shell)) == []


@pytest.mark.parametrize(
    ("line", "shell", "found"),
    [
        ("Set-UMDialPlan -Identity x", "exchange-2013", ["Set-UMDialPlan"]),
        ("if ($Force) { Remove-Item $Target }", "lync-2013", ["Remove-Item"]),
        ("$x = @{ A = Get-CsTrunk }", "lync-2010", ["Get-CsTrunk"]),
        ("Get-UMServer", "exchange-2013", ["Get-UMServer"]),
        ("Get-ExchangeCertificate -Server x", "exchange-2007", ["Get-ExchangeCertificate -Server"]),
        ("Get-WmiObject -Class x -Credential y", "exchange-2010", ["Get-WmiObject -Credential"]),
    ],
)
def test_the_check_of_commands_finds_what_is_wrong(line: str, shell: str, found: list[str]) -> None:
    assert unknown_commands(f"{script(shell)}\n{line}\n", shell) == found


@pytest.mark.parametrize(
    "call",
    [
        "$entry.CommitChanges()",
        "[System.IO.File]::Delete($Out)",
        "[System.IO.Directory]::Delete($Target)",
        "[System.Diagnostics.Process]::Start('x')",
        "$service.StopService()",
        "$list.Add($each)",
    ],
)
def test_the_check_of_calls_finds_what_is_wrong(call: str) -> None:
    assert unknown_calls(f"{script('lync-2013')}\n{call}\n") == [call]


@every_shell
def test_what_a_collector_invokes_by_a_variable_is_only_the_block_of_a_section(shell: str) -> None:
    invoked = [text(n) for n in tree(script(shell)) if n.type == "command_invokation_operator"]
    assert invoked == ["&"]
    assert script(shell).count("& $Read") == 1
    assert not re.search(r"Invoke-|iex\b|\[scriptblock\]::|Start-Process|Out-File|Set-Content|Add-Type", script(shell))


@every_shell
def test_a_collector_makes_only_values_that_read_or_write_its_own_file(shell: str) -> None:
    made = {words[0] for name, _, words in commands(tree(script(shell))) if name == "New-Object"}
    assert made <= TYPES
    streams = re.findall(r"New-Object System\.IO\.FileStream -ArgumentList ([^\n]+)", script(shell))
    assert streams == ["$Temporary, 'CreateNew', 'ReadWrite'"]


@pytest.mark.slow
@every_shell
def test_a_collector_reads_every_section_or_says_that_its_shell_cannot(shell: str) -> None:
    side = next(side for side, shells in SHELLS.items() if shell in shells)
    source = script(shell)
    cannot = set(re.findall(r"Write-Unread '(\w+)' 'The shell", source))
    assert set(sections(source)) | cannot == set(SECTIONS[side])
    assert not set(sections(source)) & cannot
    expected = {
        "exchange-2007": {"UMService", "UMCallRouterSettings"},
        "exchange-2010": {"UMService", "UMCallRouterSettings"},
        "exchange-2013": {"UMServer"},
        "exchange-2016": {"UMServer"},
    }
    assert cannot == expected.get(shell, set())


@every_shell
def test_each_property_that_a_collector_reads_is_documented_for_its_shell(shell: str) -> None:
    compared = 0
    for name, body in sections(script(shell)).items():
        if name not in PROPERTIES:
            continue
        _, known = PROPERTIES[name]
        wanted = known - (NOT_2007.get(name, set()) if shell == E2007 else set())
        assert read(body) == wanted, name
        compared += 1
    assert compared >= 10


def test_each_property_of_a_certificate_is_documented() -> None:
    block = script("exchange-2013").partition("function Get-CertificateOf(")[2].partition("\n}\n")[0]
    found = set(re.findall(r"Get-\w+ \$Certificate '(\w+)'", block))
    assert found == CERTIFICATE[1]


@pytest.mark.slow
@every_shell
def test_a_collector_writes_every_property_that_the_page_lists(shell: str) -> None:
    side = next(side for side, shells in SHELLS.items() if shell in shells)
    source = script(shell)
    for name, body in sections(source).items():
        left_out = NOT_2007.get(name, set()) if shell == E2007 else set()
        where = body if name in PROPERTIES else source
        for wanted in SECTIONS[side][name].keys() - left_out:
            assert re.search(rf"\b{wanted} = |\['{wanted}'\] = ", where), f"{name}.{wanted}"


def test_exchange_2007_reads_the_certificates_of_its_own_server_alone() -> None:
    assert "Get-ExchangeCertificate -ErrorAction Stop" in script("exchange-2007")
    assert "Get-ExchangeCertificate -Server $fqdn" not in script("exchange-2007")
    assert "Get-ExchangeCertificate -Server $fqdn" in script("exchange-2010")
    assert "EVERY server" in script("exchange-2007").splitlines()[3]


@pytest.mark.parametrize(
    ("shell", "version", "other"),
    [
        ("exchange-2007", "Version 8.3 (Build 83.6)", "Version 14.3 (Build 123.4)"),
        ("exchange-2010", "Version 14.3 (Build 123.4)", "Version 8.3 (Build 83.6)"),
        ("exchange-2013", "Version 15.0 (Build 1497.2)", "Version 15.1 (Build 2507.6)"),
        ("exchange-2016", "Version 15.1 (Build 2507.6)", "Version 15.2 (Build 1118.7)"),
        ("lync-2010", "Microsoft Lync Server 2010 (4.0.7577.0)", "Microsoft Lync Server 2013 (5.0.8308.0)"),
        ("lync-2013", "Microsoft Lync Server 2013 (5.0.8308.0)", "Microsoft Lync Server 2010 (4.0.7577.0)"),
        ("skype-2015", "Skype for Business Server 2015 (6.0.9319.0)", "Skype for Business Server 2019 (7.0.2046.0)"),
    ],
)
def test_a_collector_takes_only_servers_of_its_version(shell: str, version: str, other: str) -> None:
    found = re.search(r"^\$OwnVersion = '(.+)'$", script(shell), re.MULTILINE)
    assert found is not None
    assert re.search(found[1], version)
    assert not re.search(found[1], other)


def test_a_collector_reads_the_mailboxes_of_servers_of_its_version_alone() -> None:
    block = sections(script("exchange-2007"))["UMMailbox"]
    assert "foreach ($server in @(Get-OwnServers 'Mailbox'))" in block
    assert "$names.ContainsKey([string](Get-Text $_ 'ServerName'))" in block


def test_a_collector_refuses_another_forest_and_one_without_a_forest_takes_any() -> None:
    assert "\n$Expected = 'proseware.example'\n" in script("exchange-2013")
    assert "\n$Expected = ''\n" in script("exchange-2013", forest="")


def test_a_hostile_forest_stays_within_its_literal() -> None:
    source = script("lync-2013", forest="a'; Remove-Item x; '\u2019")
    assert "$Expected = 'a''; remove-item x; ''\u2019\u2019'" in source


@every_shell
def test_digits_and_time_do_not_follow_the_culture_of_the_server(shell: str) -> None:
    for node in tree(script(shell)):
        if node.type == "invokation_expression" and node.children[-1].type == "argument_list":
            last = text(node.children[-1])
            if not text(node).removesuffix(last).endswith(".ToString"):
                continue
            assert last in ("()", "('N')") or last.endswith("$Culture)"), text(node)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("", True),
        ("Main", True),
        ('a"b', False),
        ("a\\b", False),
        ("a\n", False),
        ("caf\u00e9", False),
        ("\u212a", False),
        ("\x7f", False),
    ],
)
def test_only_text_that_json_takes_as_it_is_is_written_unescaped(value: str, plain: bool) -> None:
    found = re.search(r"-cmatch '\\A(\[.+\]\*)\\z'", script("lync-2013"))
    assert found is not None
    assert bool(re.fullmatch(found[1], value)) is plain


@every_shell
def test_the_file_is_sealed_before_it_has_its_name(shell: str) -> None:
    source = script(shell)
    order = ["$Stream.Close()", "Get-Sha256 $Temporary", 'AppendAllText($Temporary, \',"sha256":"\'', "Move($Temporary"]
    places = [source.rindex(each) if each.startswith("Move") else source.index(each) for each in order]
    assert places == sorted(places)
    assert source.index("[System.IO.File]::Exists($Target) -and -not $Force") < places[0]
    assert "if ($Force) { [System.IO.File]::Delete($Target) }" in source


MIXED = """
tandem: 1
name: Contoso
directory: state/directory.db
forests: [{name: contoso.com, domains: [contoso.com]}]
messaging_servers:
  - {fqdn: ex07.contoso.com, forest: contoso.com, kind: exchange, version: "2007", service_pack: 3}
  - {fqdn: ex10.contoso.com, forest: contoso.com, kind: exchange, version: "2010", service_pack: 3}
  - {fqdn: ex13.contoso.com, forest: contoso.com, kind: exchange, version: "2013", service_pack: 1}
voice_pools:
  - {fqdn: pool10.contoso.com, forest: contoso.com, kind: lync, version: "2010"}
  - {fqdn: pool15.contoso.com, forest: contoso.com, kind: lync, version: "2015"}
um_dial_plans:
  - {name: Main, forest: contoso.com, extension_digits: 4, access_numbers: ["+442075550100"]}
voice_dial_plans: [{identity: Global, simple_name: Main.contoso.com}]
"""


WITHOUT_2010 = MIXED.replace(MIXED.splitlines()[7] + "\n", "")
"""What is generated for 2007's shell holds 2010's servers too, with properties that this shell does not have."""


@pytest.mark.slow
@pytest.mark.parametrize("declared", [TWO_FORESTS, WITHOUT_2010], ids=["two forests", "2007 and 2013"])
def test_a_collector_writes_what_the_generated_observations_hold(tmp_path: Path, declared: str) -> None:
    (tmp_path / "organization.yaml").write_text(declared, encoding="utf-8")
    compared = set()
    for members in observed.results(require_organization(tmp_path / "organization.yaml")).values():
        source = script(members["shell"])
        blocks = sections(source)
        assert set(blocks) == set(members["objects"]), members["shell"]
        for name, objects in members["objects"].items():
            for wanted in {key for each in objects for key in each}:
                assert re.search(rf"\b{wanted} = |\['{wanted}'\] = ", source), f"{name}.{wanted}"
                compared.add(f"{name}.{wanted}")
    assert len(compared) > 60


def test_the_command_writes_one_script_per_version_of_a_mixed_forest(tmp_path: Path) -> None:
    (tmp_path / "organization.yaml").write_text(MIXED, encoding="utf-8")
    file, out = str(tmp_path / "organization.yaml"), tmp_path / "out"
    for side in ("exchange", "lync"):
        assert run(file, "--for", side, "--out", str(out))[0] == 0
    shells = ("exchange-2007", "exchange-2010", "exchange-2013", "lync-2010", "skype-2015")
    assert sorted(path.name for path in out.iterdir()) == [f"collect-{shell}-contoso.com.ps1" for shell in shells]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(tandem, ["collect", *arguments])
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_the_command_writes_one_script_per_forest_and_shell(tmp_path: Path) -> None:
    (tmp_path / "organization.yaml").write_text(TWO_FORESTS, encoding="utf-8")
    file, out = str(tmp_path / "organization.yaml"), tmp_path / "out"
    assert run(file, "--for", "exchange", "--out", str(out))[0] == 0
    assert run(file, "--for", "lync", "--out", str(out))[0] == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["collect-exchange-2013-proseware.example.ps1", "collect-lync-2013-litware.example.ps1"]
    first = out / names[0]
    assert first.read_bytes().isascii() and b"\r\n" in first.read_bytes()


def test_the_command_writes_one_script_without_an_organization(tmp_path: Path) -> None:
    assert run("--for", "exchange", "--shell", "exchange-2013", "--out", str(tmp_path))[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["collect-exchange-2013.ps1"]


def test_the_command_says_which_shells_there_are(tmp_path: Path) -> None:
    code, said = run("--for", "lync", "--out", str(tmp_path))
    assert code != 0
    assert "lync-2010, lync-2013, skype-2015" in said
    code, said = run("--for", "lync", "--shell", "exchange-2013", "--out", str(tmp_path))
    assert code != 0
    assert "not of lync" in said
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_is_declared_where_nothing_fits(tmp_path: Path) -> None:
    (tmp_path / "organization.yaml").write_text(TWO_FORESTS, encoding="utf-8")
    code, said = run(str(tmp_path / "organization.yaml"), "--for", "exchange", "--forest", "nowhere.example")
    assert code != 0
    assert "declares no such exchange servers" in said


@pytest.mark.parametrize("forest", ["../x", "a b", "caf\u00e9.example", "a'.example", ""])
def test_a_forest_that_is_no_domain_name_is_refused(tmp_path: Path, forest: str) -> None:
    code, said = run("--for", "lync", "--shell", "lync-2013", "--forest", forest, "--out", str(tmp_path))
    assert (code != 0) == (forest != "")
    assert ("no DNS name" in said) == (forest != "")
