from pathlib import Path

import pytest
from hypothesis import settings

import deployment

# pytest --hypothesis-profile=deep: many more examples, for a developer who changed a parser.
settings.register_profile("deep", max_examples=4000, deadline=None)


@pytest.fixture(scope="session")
def deployed_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployed") / "x"
    deployment.make_example(folder)
    deployment.deploy(folder)
    return folder


@pytest.fixture
def deployed(deployed_template: Path, tmp_path: Path) -> Path:
    """The folder of a deployed organization that a test may change."""
    return deployment.copy(deployed_template, tmp_path / "x")
