"""The documentation is what the product does."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs.printed import shell

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tandem"


@pytest.mark.slow
def test_the_references_are_as_the_code_makes_them() -> None:
    command = [sys.executable, str(ROOT / "tools" / "render_reference"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    targets = [(page, target) for page in pages for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text())]
    assert targets
    assert [t for t in targets if not (t[0].parent / t[1]).exists()] == []


def test_files_of_the_source_that_pages_name_are_there() -> None:
    rooms = "|".join(p.parent.name for p in SOURCE.glob("*/__init__.py"))
    pages = [ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "protocols").glob("*.md")]
    named = [
        (page.name, name) for page in pages for name in re.findall(rf"`((?:{rooms})/[\w/]+\.py)`", page.read_text())
    ]
    assert len(named) > 20
    assert [each for each in named if not (SOURCE / each[1]).exists()] == []


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 4
    for name, result in (("exchange.json", "exchange-mbx1.json"), ("lync.json", "lync-fe3.json")):
        shutil.copy(ROOT / "tests" / "vectors" / "observations" / "2013-two-forests" / result, tmp_path / name)
    done = shell("".join(blocks), tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "heard over SRTP" in done.stdout
    assert "7/exchange-exchucutil" in (tmp_path / "todo.md").read_text()
    assert (tmp_path / "heard.wav").stat().st_size > 50_000


@pytest.mark.slow
def test_the_tutorial_deploys_two_forests_as_it_stands(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorial-two-forests.md").read_text()
    (yaml_block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "contoso").mkdir()
    (tmp_path / "contoso" / "organization.yaml").write_text(yaml_block)
    done = shell("".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)), tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Nothing to do: the directory is as declared." in done.stdout
    assert "RTCUniversalServerAdmins and RTCUniversalUserAdmins" in done.stderr  # Maria tries Victor's work
    assert "um2.mail.example.com answers for Main: answered over SRTP" in done.stdout
    assert "it is in the mailbox, MWI shows 1 new" in done.stdout and ", 0 failed" in done.stdout
    assert done.stderr.count("have not agreed") == 1  # before they agree, and no more after


@pytest.mark.slow
def test_the_demonstration_proves_everything(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tandem", "demo", "--folder", str(tmp_path / "x")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    table = done.stdout[done.stdout.index("What was proved") :]
    assert table.count("│ yes │") == 10 and "│ NO  │" not in table


def test_alerts_name_metrics_that_there_are() -> None:
    known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    text = (ROOT / "docs" / "operations.md").read_text()
    (rules,) = re.findall(r"\n    groups:\n(?:     .*\n)+", text)
    (group,) = yaml.safe_load(rules)["groups"]
    assert all(rule.keys() >= {"alert", "expr"} for rule in group["rules"])
    named = {name.removesuffix("_bucket") for name in re.findall(r"\btandem_\w+", text)}
    assert len(named) > 10 and named <= known, named - known
