"""Kerberos tickets (RFC 4120) for binding by GSSAPI: where no password is given, and into other forests, which a simple bind
does not reach.

``kinit`` makes the ticket from the account's password; MIT's library finds realms and their controllers by DNS. A library's
tickets are chosen by the environment, so one bind at a time is made with it.
"""

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tandem.directory.errors import DirectoryUnavailable, InvalidCredentials

_LOCK = threading.Lock()
_RENEW_S = 1800.0
_KINIT_S = 30.0


def ticket_holder() -> str:
    """The account of the ticket that is there and still valid, as ``account@realm`` in lower case; empty if there is none."""
    try:
        done = subprocess.run(
            ["klist", "-s"],  # noqa: S607 - as kinit below
            capture_output=True,
            check=False,
            timeout=_KINIT_S,
        )
        if done.returncode:
            return ""
        told = subprocess.run(
            ["klist"],  # noqa: S607 - as kinit below
            capture_output=True,
            text=True,
            check=False,
            timeout=_KINIT_S,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"^\s*(?:Default principal|Principal): (\S+)", told.stdout, re.MULTILINE)
    return found[1].lower() if found else ""


class Ticket:
    """The ticket of an account. Without a password it is the one that is there (``KRB5CCNAME``, or the user's own)."""

    def __init__(self, account: str, forest: str, password: str | None) -> None:
        self.principal = f"{account}@{forest.upper()}"
        self._password = password
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._made_at = 0.0

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Within, GSSAPI uses this ticket. Raises :class:`InvalidCredentials`, :class:`DirectoryUnavailable`."""
        if self._password is None:
            yield
            return
        with _LOCK:
            cache = self._fresh(self._password)
            before = os.environ.get("KRB5CCNAME")
            os.environ["KRB5CCNAME"] = f"FILE:{cache}"
            try:
                yield
            finally:
                if before is None:
                    del os.environ["KRB5CCNAME"]
                else:
                    os.environ["KRB5CCNAME"] = before

    def _fresh(self, password: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="tandem-ticket-")
        cache = Path(self._folder.name) / "cache"
        now = time.monotonic()
        if not cache.exists() or now - self._made_at > _RENEW_S:
            try:
                done = subprocess.run(  # noqa: S603 - without a shell; the account is one argument
                    ["kinit", "-c", f"FILE:{cache}", self.principal],  # noqa: S607 - of the system, wherever that keeps it
                    input=password + "\n",
                    capture_output=True,
                    text=True,
                    timeout=_KINIT_S,
                    check=False,
                )
            except FileNotFoundError:
                raise DirectoryUnavailable(
                    "kinit is not installed, which other forests are reached by: apt-get install krb5-user "
                    "libsasl2-modules-gssapi-mit"
                ) from None
            except subprocess.TimeoutExpired:
                raise DirectoryUnavailable(f"no Kerberos ticket for {self.principal} within {_KINIT_S:.0f} s") from None
            if done.returncode:
                raise _refusal(self.principal, done.stderr.strip().splitlines()[-1:])
            self._made_at = now
        return cache


def _refusal(principal: str, said: list[str]) -> Exception:
    text = "".join(said)
    if "Preauthentication failed" in text or "not found in Kerberos database" in text or "revoked" in text:
        return InvalidCredentials(f"{principal}: Kerberos refuses this account or password: {text}")
    return DirectoryUnavailable(f"no Kerberos ticket for {principal}: {text}")
