"""Keeping observations: all of those that are given, or none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tandem.core.files import private_folder
from tandem.org.vocabulary import PoolKind, ServerKind
from tandem.pki.files import write_whole
from tandem.process.apply import alone
from tandem.process.journal import Journal
from tandem.process.observing.kept import FOLDER, STATE, kept_digests, kept_observations, path_of
from tandem.process.observing.model import Observation
from tandem.process.observing.reading import MOST_BYTES, ObservationRefused, read_observation
from tandem.process.observing.seen import Seen, by_side_and_forest, text
from tandem.process.task import Context

_AHEAD = timedelta(minutes=10)
"""How far the clock of a host may be ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptResult:
    """One observation that was given. ``new``: it was not kept before. ``newer`` counts in its place; ``local``: its
    host's certificates count all the same."""

    file: str
    observation: Observation
    new: bool
    newer: Observation | None
    local: bool


def record(context: Context, files: Mapping[str, Path]) -> tuple[KeptResult, ...]:
    """Validate observations by their file's name, keep them, and name them in the journal. An older one than one of the
    same side, forest, shell and host is kept and does not count.

    Raises:
        ObservationRefused: one of them cannot be used; then none is kept.
        ProcessError: what was kept before was altered.
    """
    held = {name: _bytes(name, path) for name, path in files.items()}
    given = {name: _usable(context, name, data) for name, data in held.items()}
    state = context.organization.state
    with alone(state):
        before = set(kept_digests(context.journal))
        known = kept_observations(state, context.journal, but={each.sha256 for each in given.values()})
        for name, each in given.items():
            _keep(context, each, held[name], named=each.sha256 in before)
    everything = {each.sha256: each for each in (*known, *given.values())}.values()
    seen = by_side_and_forest(everything)
    return tuple(
        _recorded(name, each, seen[each.side, each.forest], new=each.sha256 not in before)
        for name, each in given.items()
    )


def _recorded(name: str, found: Observation, seen: Seen, *, new: bool) -> KeptResult:
    counting = next(each for each in seen.observations if each.shell == found.shell)
    return KeptResult(
        file=name,
        observation=found,
        new=new,
        newer=None if counting == found else counting,
        local=found in seen.local,
    )


def read_file(path: Path) -> bytes:
    """A file's bytes, up to the bound. Raises :class:`ObservationRefused` if it cannot be read or is larger."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ObservationRefused(f"{error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise ObservationRefused(f"more than {MOST_BYTES} bytes: no collector writes so much")
    return data


def _bytes(name: str, path: Path) -> bytes:
    try:
        return read_file(path)
    except ObservationRefused as error:
        raise ObservationRefused(f"{name}: {error}. Nothing was kept.") from None


def _usable(context: Context, name: str, data: bytes) -> Observation:
    try:
        found = read_observation(data)
    except ObservationRefused as error:
        raise ObservationRefused(f"{name}: {error}. Nothing was kept.") from None
    if problem := next(_problems(context, found), ""):
        raise ObservationRefused(f"{name}: {problem}. Nothing was kept.")
    return found


def _problems(context: Context, found: Observation) -> Iterator[str]:
    org = context.organization
    forests = [forest.name for forest in org.forests]
    if found.forest not in forests:
        yield f"forest: found {found.forest}, expected one that {org.path.name} declares ({', '.join(forests)})"
    elif found.side == "exchange" and not org.servers_in(found.forest, ServerKind.EXCHANGE):
        yield f"side: found exchange, but {org.path.name} declares no server of kind exchange in {found.forest}"
    elif found.side == "lync" and not (org.pools_of(PoolKind.LYNC) and org.voice_forest == found.forest):
        yield f"side: found lync, but {org.path.name} declares no pool of kind lync in {found.forest}"
    if found.ended > (now := context.clock.at()) + _AHEAD:
        yield (
            f"ended: found {found.ended:%Y-%m-%d %H:%M} UTC, it is {now:%Y-%m-%d %H:%M} UTC here: "
            f"set the clock of {found.host} (or of this machine), and run the collector again"
        )
    suffix = "," + ",".join(f"dc={label}" for label in found.forest.split("."))
    for each in found.objects.get("OrganizationConfig", ()):
        name = text(each, "DistinguishedName")
        if name and not name.lower().replace(" ", "").endswith(suffix):
            yield f"forest: found {found.forest}, but the organization is {name}: another forest's result"


def _keep(context: Context, found: Observation, data: bytes, *, named: bool) -> None:
    """The file, also if it was lost; then the line of the journal, unless it is ``named`` there already."""
    state = context.organization.state
    private_folder(state / FOLDER)
    write_whole(path_of(state, found.sha256), data, secret=True)
    said = (
        found.sha256,
        f"{found.side} of {found.forest}, shell {found.shell}",
        f"by {found.by} on {found.host}",
        f"from {found.started:%Y-%m-%dT%H:%M:%SZ} to {found.ended:%Y-%m-%dT%H:%M:%SZ}",
    )
    journal = Journal(path=context.journal)
    if not named and found.sha256 not in kept_digests(context.journal):
        journal.append(
            at=context.clock.at(),
            who=context.session.account,
            task=f"{found.side}@{found.forest}",
            state=STATE,
            changes=said,
        )
