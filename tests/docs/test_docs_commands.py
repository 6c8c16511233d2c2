"""Every command that help texts and pages print runs as printed."""

import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

import deployment
import observed
from docs.printed import commands, examples, lines, run, shell
from tandem.admin.keeping.backup import backup
from tandem.admin.keeping.install import install_server
from tandem.cli.main import EXIT_CODES
from tandem.cli.main import tandem as main
from tandem.core.ids import SystemIds
from tandem.ops.trace.record import Record
from tandem.ops.trace.ring import Ring
from tandem.org.load import require_organization
from tandem.pki.authority import Authority
from tandem.process.bootstrap import create_directory
from tandem.process.runbook.steps import runbook_steps
from tandem.speech.samples.recorded import bob_message

ROOT = Path(__file__).parents[2]
CALL_ID = "a84b4c76e66710"
TRIED_ELSEWHERE = {
    "tandem --help": "below: with servers",
    "tandem demo": "test_docs.py",
    "tandem serve": "below: with servers",
    "tandem verify": "below: with servers",
    "tandem phone": "below: with servers",
    "tandem directory prepare": "tests/peers/test_peers_samba.py: it has no meaning for the embedded directory",
}
EXAMPLES = {path: examples(command) for path, command in commands()}


def test_every_command_has_an_example() -> None:
    without = [path for path, command in commands() if not isinstance(command, click.Group) and not EXAMPLES[path]]
    assert without == []


def test_every_example_is_understood_by_its_command() -> None:
    for line in (line for found in EXAMPLES.values() for line in found if line.startswith("tandem ")):
        words = shlex.split(re.split(r" (?:>|\||\|\|) ", line)[0])[1:]
        command: click.Command = main
        context = click.Context(main, info_name="tandem")
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0))
            assert found is not None, line
            command = found
        for parameter in command.params:  # whether files are there is another question
            if isinstance(parameter.type, click.Path):
                parameter.type.exists = False
        command.make_context("example", words)


@pytest.fixture(scope="module")
def scene_template(tmp_path_factory: pytest.TempPathFactory, deployed_template: Path) -> Path:
    """What examples name: homes "example" and "mine", "contoso" with Exchange and Lync, a trace, an archive, certificates."""
    folder = tmp_path_factory.mktemp("printed") / "x"
    folder.mkdir()
    for name in ("example", "mine"):
        deployment.copy(deployed_template, folder / name)
    contoso = folder / "contoso"
    contoso.mkdir()
    shutil.copy(ROOT / "tests/vectors/process/base/exchange.yaml", contoso / "organization.yaml")
    create_directory(require_organization(contoso / "organization.yaml"), SystemIds())
    deployment.deploy_own_share(contoso)
    _results(folder)
    _other_directory(folder / "mine")
    _trace(folder / "example")
    (folder / "backup").mkdir()
    home = folder / "homes" / "um1.example.com"
    install_server(folder / "example" / "organization.yaml", "um1.example.com", home)
    _certificates(folder)
    return folder


def _results(folder: Path) -> None:
    """What collectors would export of "contoso"."""
    made = observed.results(require_organization(folder / "contoso" / "organization.yaml"))
    (folder / "results").mkdir()
    for members in made.values():
        for path in (folder / f"{members['side']}.json", folder / "results" / f"{members['side']}.json"):
            path.write_bytes(observed.sealed(members))


def _other_directory(home: Path) -> None:
    text = (home / "organization.yaml").read_text()
    (home / "on-ad.yaml").write_text(text.replace("state/directory.db", "state/other.db"))
    create_directory(require_organization(home / "on-ad.yaml"), SystemIds())
    (home / "state" / "directory.json").unlink()  # servers of "mine" go on with the first


def _trace(home: Path) -> None:
    ring = Ring(home / "state" / "trace" / "pool1.example.com", max_bytes=1 << 20, max_age_s=1e12)
    head = ("From: <sip:bob@example.com>;tag=1", "To: <sip:4101@example.com>", f"Call-ID: {CALL_ID}", "CSeq: 1 INVITE")
    data = "\r\n".join(("INVITE sip:4101@example.com SIP/2.0", *head, "", "")).encode()
    at, server = datetime.now(UTC).timestamp(), "pool1.example.com"
    local, remote = ("127.0.0.1", 15062), ("127.0.0.9", 40001)
    ring.write(
        [Record(at=at, sent=False, transport="tls", local=local, remote=remote, data=data, server=server)], now=at
    )
    ring.close()


def _certificates(folder: Path) -> None:
    at = datetime.now(UTC)
    elsewhere = Authority.open_or_create(folder / "corporate", organization="Corporate", at=at)
    own = Authority.open_or_create(folder / "example" / "state" / "pki" / "authority", organization="Example", at=at)
    for name, authority, also in (("um1", elsewhere, ()), ("pool1", own, ("fe1.example.com",))):
        certificate, key = authority.issue(f"{name}.example.com", also, at=at)
        (folder / f"{name}.pem").write_bytes(certificate)
        (folder / f"{name}.key").write_bytes(key)
    for name in ("intermediate", "corporate-roots", "roots"):
        (folder / f"{name}.pem").write_bytes(elsewhere.root_pem)


@pytest.fixture
def scene(scene_template: Path, tmp_path: Path) -> Path:
    shutil.copytree(scene_template, tmp_path / "y")
    return tmp_path / "y"


def _empty_machine(scene: Path) -> None:
    """An archive, and the folder that it is to be restored to."""
    backup(scene / "mine" / "organization.yaml", scene / "backup" / "mine-monday.tar.gz")
    shutil.rmtree(scene / "mine")


def _two_forests(scene: Path) -> None:
    """The tutorial's organization in "contoso", deployed."""
    shutil.rmtree(scene / "contoso")
    (scene / "contoso").mkdir()
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "tutorial-two-forests.md").read_text(), re.DOTALL)
    (scene / "contoso" / "organization.yaml").write_text(text)
    create_directory(require_organization(scene / "contoso" / "organization.yaml"), SystemIds())
    for account in ("administrator", "maria", "victor"):
        deployment.deploy_own_share(scene / "contoso", account)


def _leaver(scene: Path) -> None:
    (scene / "example" / "state" / "mail" / "zoe@example.com" / "new").mkdir(parents=True)


def _result(scene: Path) -> None:
    """What the runbook's script has left of a step."""
    organization = require_organization(scene / "contoso" / "organization.yaml")
    step = next(each for each in runbook_steps(organization) if each.id == "3/exchange-dial-plans")
    texts = {
        "step": step.id,
        "digest": step.digest,
        "forest": step.forest,
        "host": "ex1",
        "user": "maria",
        "outcome": "done",
    }
    times = {"started": "2026-11-28T09:00:00Z", "ended": "2026-11-28T09:01:00Z"}
    body = json.dumps({"format": "tandem-evidence", "version": 1} | texts | times)[:-1].encode()
    digest = hashlib.sha256(body).hexdigest()
    (scene / "result.json").write_bytes(body + f',"sha256":"{digest}"}}'.encode())


PREPARED = {
    "tandem user": _leaver,
    "tandem restore": _empty_machine,
    "tandem exchucutil": _two_forests,
    "tandem confirm": _result,
}


def here(line: str) -> str:
    """A line with what only the administrator's own network has replaced: domain controllers, folders of the system."""
    embedded = "example/state/directory.db --password-file example/secrets/administrator"
    line = re.sub(r"(ldaps://\S+ )?ldaps://\S+", embedded, line)
    for here, there in (
        ("homes/", "/var/lib/tandem/"),
        ("backup/", "/backup/"),
        ("mine/secrets/victor", "~/victor.password"),
        ("--from-secrets", "--kerberos"),
    ):
        line = line.replace(there, here)
    return line


def failed(command_lines: Iterable[str], folder: Path) -> list[str]:
    """Run lines one after another; an exit code that is no error is none here either."""
    ran = [run(here(line), folder) for line in command_lines]
    return [
        f"{each.line}\n{each.output}" for each in ran if each.exit_code in (1, 130) or each.exit_code not in EXIT_CODES
    ]


ALONE = [
    path
    for path, found in EXAMPLES.items()
    if found
    and len(path.split()) > 2
    and not path.startswith(tuple(TRIED_ELSEWHERE))
    and path.split()[-1] not in ("remove", "purge")
]
GROUPS = sorted({" ".join(path.split()[:2]) for path, found in EXAMPLES.items() if found} - TRIED_ELSEWHERE.keys())


@pytest.mark.slow
@pytest.mark.parametrize("group", [each for each in GROUPS if each != "tandem init"])
def test_the_examples_of_help_run_one_after_another(group: str, scene: Path) -> None:
    mine = [
        line
        for path, found in EXAMPLES.items()
        if f"{path} ".startswith(f"{group} ") and path not in TRIED_ELSEWHERE
        for line in found
    ]
    PREPARED.get(group, Path.exists)(scene)
    assert failed(mine, scene) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", ALONE)
def test_the_examples_of_each_command_run_alone(path: str, scene: Path) -> None:
    assert failed(EXAMPLES[path], scene) == []


@pytest.mark.slow
def test_the_examples_of_init_begin_with_nothing(tmp_path: Path) -> None:
    assert failed(EXAMPLES["tandem init"], tmp_path) == []


def indented(page: str) -> list[str]:
    """The commands of a page's indented blocks."""
    text = (ROOT / "docs" / page).read_text()
    return lines("\n".join(re.findall(r"^ {4}(tandem (?!directory prepare).*)$", text, re.MULTILINE)))


@pytest.mark.slow
def test_the_commands_of_the_page_on_operation_run_one_after_another(scene: Path) -> None:
    printed = [line.replace("contoso/", "example/") for line in indented("operations.md")]
    traces = [line for line in printed if line.startswith("tandem trace")]
    restores = [line for line in printed if line.startswith("tandem restore")]
    others = [line for line in printed if line not in (*traces, *restores)]
    assert min(map(len, (traces, restores, others))) > 0
    assert failed(traces, scene / "example") == [] and failed(others, scene) == []
    shutil.rmtree(scene / "homes")
    assert failed(restores, scene) == []


@pytest.mark.slow
def test_the_commands_of_the_page_on_active_directory_run_one_after_another(scene: Path) -> None:
    printed = indented("active-directory.md")
    assert len(printed) > 4 and failed(printed, scene) == []


@pytest.mark.slow
def test_the_examples_that_need_servers_run_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(bob_message())
    whole = []
    for line in EXAMPLES["tandem --help"]:
        if line.startswith("tandem serve"):
            log = f"{line.split()[2]}.log"
            line = f"{line} > {log} & until grep -q 'is ready' {log}; do sleep 0.1; kill -0 $!; done"
        whole.append(f"{line} || test $? = 2")
        if line == "tandem init example":
            whole.append("sed -i 's/ring_s: 20/ring_s: 2/' example/organization.yaml")
    (listen,) = (line for line in EXAMPLES["tandem phone listen"] if "phone listen" in line)
    (call,) = (line for line in EXAMPLES["tandem phone call"] if "phone call" in line)
    assert EXAMPLES["tandem verify"][-1] in EXAMPLES["tandem --help"]
    whole += [*EXAMPLES["tandem phone register"], *EXAMPLES["tandem phone call"], *EXAMPLES["tandem phone listen"][:-1]]
    whole += [f"{listen} > heard.txt & listening=$!; sleep 1", re.sub("--after-tone.*", "", call), "wait $listening"]
    done = shell("\n".join(whole), tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "alice@example.com is registered" in done.stdout and "heard over SRTP" in done.stdout
    assert "s heard; DTMF digits: -" in (tmp_path / "heard.txt").read_text()
