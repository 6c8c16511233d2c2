"""Who may read a part only is told so, and sees no differences that there are not."""

import json
import logging
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import deployment
from tandem.cli.main import tandem as command
from tandem.core.ids import SystemIds
from tandem.org.load import require_organization
from tandem.process.bootstrap import create_directory
from tandem.process.tasks.preconditions import tandem_um_servers
from tandem.wiring import Home, Listen, start_voice

pytestmark = pytest.mark.slow
DORA = """administrators:
  - {account: dora, display_name: Dora, forest: mail.example.com, groups: [Domain Admins]}
"""


@pytest.fixture(scope="module")
def two_forests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's organization, deployed, with an administrator of one forest's directory."""
    home = tmp_path_factory.mktemp("readers") / "contoso"
    home.mkdir()
    page = Path(__file__).parents[2] / "docs" / "tutorial-two-forests.md"
    (text,) = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    (home / "organization.yaml").write_text(text.replace("administrators:\n", DORA))
    create_directory(require_organization(home / "organization.yaml"), SystemIds())
    for account in ("administrator", "maria", "victor", "maria"):
        deployment.deploy_own_share(home, account)
    return home


def run(home: Path, name: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, [name, str(home / "organization.yaml"), *arguments])


def test_an_administrator_of_one_forest_sees_no_differences_in_the_other(two_forests: Path) -> None:
    drift = run(two_forests, "drift", "--as", "dora")
    assert drift.exit_code == 0, drift.output
    assert "No drift: the directory is as declared. dora cannot read what " in drift.output
    found = json.loads(run(two_forests, "drift", "--as", "dora", "--json").output)
    assert found["differences"] == [] and "9/contacts" in found["unreadable"]


def test_verify_warns_of_what_it_cannot_read_and_fails_for_nothing_of_it(two_forests: Path) -> None:
    verified = run(two_forests, "verify", "--as", "dora", "--json")
    checks = json.loads(verified.output)
    assert [check for check in checks if check["grade"] == "failed"] == []
    assert [c for c in checks if c["evidence"] == "You cannot read voice.example.net" and c["grade"] == "warning"]


def test_who_may_read_everything_is_told_of_nothing_hidden(two_forests: Path) -> None:
    assert run(two_forests, "drift", "--summary").output == "No drift: the directory is as declared.\n"


def test_one_line_and_the_exit_code_suit_a_timer(deployed: Path) -> None:
    deployment.change(deployed, ("display_name: Main Subscriber Access", "display_name: Renamed"))
    drift = run(deployed, "drift", "--summary")
    assert drift.exit_code == 3 and re.fullmatch(r"\d+ difference\(s\), of ocsumutil\.\n", drift.output)
    verified = run(deployed, "verify", "--summary")
    assert verified.exit_code == 1
    assert re.fullmatch(r"\d+ passed, \d+ warning, 1 failed: .*contacts\n", verified.output)


def test_a_user_whom_two_forests_show_is_one(two_forests: Path) -> None:
    file = two_forests / "organization.yaml"
    user = require_organization(file).users[0]
    for name in (user.account, user.mail, user.sip_address):
        shown = CliRunner().invoke(command, ["user", "show", str(file), name, "--json"])
        assert shown.exit_code == 0 and json.loads(shown.output)["account"] == user.account, shown.output


async def test_a_um_server_of_the_other_forest_is_no_mistyped_name(
    two_forests: Path, caplog: pytest.LogCaptureFixture
) -> None:
    organization = require_organization(two_forests / "organization.yaml")
    pool, um = organization.voice_pools[0].fqdn, tandem_um_servers(organization)[0].fqdn
    assert pool.partition(".")[2] != um.partition(".")[2]
    resolve = dict.fromkeys((pool, um, "umm1.example.com"), ("127.0.0.1", 5061))
    with caplog.at_level(logging.WARNING, "tandem.service"):
        running = await start_voice(Home(folder=two_forests), pool, Listen(resolve=resolve, ports={"tls": 0}))
    await running.server.stop()
    told = [r.message for r in caplog.records if r.message.startswith("service.resolve_unknown")]
    assert len(told) == 1 and "umm1.example.com" in told[0]
