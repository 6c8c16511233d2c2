"""Verifying a deployment: by the directory, by certificates, and by calls."""

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.directory import objects as o
from tandem.process.task import Context
from tandem.process.verify.declared import verify_static
from tandem.process.verify.live import Live
from tandem.process.verify.matrix import Check, Grade
from tandem.service.threads import ThreadPool
from tandem.sip.aio.resolve import Resolver
from tandem.wiring import Home, bind, mail_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Every check with its grade, evidence and advice."""

    checks: tuple[Check, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """What ``tandem verify --json`` prints."""
        return [dataclasses.asdict(check) for check in self.checks]

    def count(self, grade: Grade) -> int:
        """How many checks have this grade."""
        return sum(check.grade is grade for check in self.checks)

    def exit_code(self, *, accept_confirmed: bool) -> int:
        """1 if something failed, 4 if something is open or only confirmed, else 0."""
        if self.count(Grade.FAILED):
            return 1
        unknown = self.count(Grade.OPEN) + (0 if accept_confirmed else self.count(Grade.CONFIRMED))
        return 4 if unknown else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """What live checks need: where names are (TLS still checks the name), who calls whom (by default chosen).

    ``homes`` are those of servers, where they are not the organization's folder: a pool's password is in one, mailboxes in
    another.
    """

    homes: tuple[Path, ...] = ()
    resolve: Mapping[str, tuple[str, int]] = dataclasses.field(default_factory=dict)
    caller: str = ""
    called: str = ""


def verify(context: Context, live: LiveOptions | None = None) -> Verified:
    """Check the result of every phase; with ``live`` also by connections and calls. Runs an event loop of its own."""
    checks = list(verify_static(context))
    if live is not None:
        checks += asyncio.run(_live(context, live))
    return Verified(checks=tuple(checks))


async def _live(context: Context, options: LiveOptions) -> list[Check]:
    disk = ThreadPool("verify-disk", 2)
    try:
        live = Live(
            context=context,
            resolver=Resolver(options.resolve),
            secret_of=_Secrets(context, options.homes),
            mail=mail_store(_mail_home(context, options.homes), disk),
            caller=options.caller,
            called=options.called,
        )
        return [each async for each in live.checks()]
    finally:
        disk.close()


def _mail_home(context: Context, homes: tuple[Path, ...]) -> Path:
    """The state folder with the mailboxes: that of a UM server's home."""
    states = (home / "state" for home in homes)
    return next((state for state in states if (state / "spool").is_dir()), context.organization.state)


class _Secrets:
    """Users' SIP secrets, each read with the account of a server of the user's pool: no administrator may read them."""

    def __init__(self, context: Context, homes: tuple[Path, ...]) -> None:
        self._context = context
        self._homes = homes

    def __call__(self, user: o.User) -> str:
        organization = self._context.organization
        pool = next(pool for pool in organization.voice_pools if pool.fqdn == user.home_pool)
        server = pool.servers[0] if pool.servers else pool.fqdn
        own = organization.path.parent
        home = next((each for each in self._homes if (each / "secrets" / server).exists()), own)
        repository = bind(Home(folder=home), server)
        try:
            return repository.sip_secret(user)
        finally:
            repository.session.close()
