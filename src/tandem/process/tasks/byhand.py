"""Steps for servers of kind exchange and lync: carried out by people with the runbook, and confirmed by them."""

from collections.abc import Iterator

from tandem.process.task import Context, Task


def tasks(context: Context) -> Iterator[Task]:
    """None yet."""
    yield from ()
