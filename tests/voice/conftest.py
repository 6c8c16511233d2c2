from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import deployment
from voice.pool import Pool, serving


@pytest.fixture(scope="module")
def home(deployed_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests of a module, which change nothing of it but the server's own state."""
    return deployment.copy(deployed_template, tmp_path_factory.mktemp("served") / "x")


@pytest.fixture
async def pool(home: Path) -> AsyncIterator[Pool]:
    async with serving(home) as running:
        yield running
