import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import settings

import deployment
import network

# No example has a time of its own: on a machine that does something else, too, it would fail for nothing.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
# make check: fewer examples, for who runs it every few minutes; make test has all.
settings.register_profile("quick", max_examples=25, deadline=None)
# pytest --hypothesis-profile=deep: many more examples, for a developer who changed a parser.
settings.register_profile("deep", max_examples=4000, deadline=None)
# Commands of the tests take passwords from the secrets folder, as a trial does; tests of passwords unset it.
os.environ["TANDEM_FROM_SECRETS"] = "1"
# They speak English, whoever runs them.
os.environ["LC_ALL"] = "C.UTF-8"
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
ALONE = WORKER is None or network.move_to_own()
"""Whether this process shares its addresses and ports with no other worker."""


LONGEST = ("test_peers_samba", "test_peers_forests", "test_peers_exchange", "test_directory_contract", "test_docs")
"""Modules that begin first, so that no worker is left with one of them at the end."""
APART = (
    "test_docs",
    "test_voice_live",
    "test_serve_live",
    "test_ops_live",
    "test_process_scenarios",
    "test_process_vectors",
)
"""Modules whose tests share nothing: workers take them one by one. Every other module is one worker's."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together in one worker, and which begin first."""
    for item in items:
        if not ALONE and item.get_closest_marker("peer"):
            item.add_marker(pytest.mark.xdist_group("peers"))
        elif item.path.stem not in APART:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def deployed_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployed organization, made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    if WORKER is not None:
        base = base.parent
    folder = base / "deployed" / "x"
    with (base / "deployed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = base / "deploying" / "x"
            made.parent.mkdir()
            deployment.make_example(made)
            deployment.deploy(made)
            made.parent.rename(folder.parent)
    return folder


@pytest.fixture
def deployed(deployed_template: Path, tmp_path: Path) -> Path:
    """The folder of a deployed organization that a test may change."""
    return deployment.copy(deployed_template, tmp_path / "x")
