from collections.abc import Iterator

import pytest

from tandem.service.threads import ThreadPool


@pytest.fixture
def disk() -> Iterator[ThreadPool]:
    made = ThreadPool("disk", 4)
    yield made
    made.close()
