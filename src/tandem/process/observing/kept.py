"""The observations that are kept: each a file named by its digest below ``state/observations``, and a line of the journal.

What the journal does not name does not count, and a file that is not what the journal names is an error: somebody altered it.
"""

from collections.abc import Collection
from pathlib import Path

from tandem.process.errors import ProcessError
from tandem.process.journal import Journal
from tandem.process.observing.model import Observation
from tandem.process.observing.reading import ObservationRefused, read_observation

FOLDER = "observations"
STATE = "observed"
"""The state of a journal line that keeps an observation; the first of its changes is the digest."""


def path_of(state: Path, digest: str) -> Path:
    """Where an observation is kept below an organization's state folder."""
    return state / FOLDER / f"{digest}.json"


def kept_digests(journal: Path) -> tuple[str, ...]:
    """The observations that the journal names, in the order in which they came."""
    lines = Journal(path=journal).declared(STATE)
    return tuple(dict.fromkeys(line["changes"][0] for line in lines if line["changes"]))


def kept_observations(state: Path, journal: Path, *, but: Collection[str] = ()) -> tuple[Observation, ...]:
    """Every kept observation, in the order in which they came, without those of some digests.

    Raises:
        ProcessError: a file that the journal names is gone or altered.
    """
    return tuple(_read(path_of(state, each), each) for each in kept_digests(journal) if each not in but)


def _read(path: Path, digest: str) -> Observation:
    advice = "bring it back from a backup, or give the collector's file to 'tandem observe' again"
    try:
        found = read_observation(path.read_bytes())
    except OSError as error:
        raise ProcessError(f"{path}: {error.strerror}; the journal names this observation: {advice}") from None
    except ObservationRefused as error:
        raise ProcessError(f"{path}: {error}; the journal names this observation: {advice}") from None
    if found.sha256 != digest:
        raise ProcessError(f"{path}: holds observation {found.sha256}, and not its own: {advice}")
    return found
