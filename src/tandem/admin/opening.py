"""Opening an organization: its file, and its directory as an administrator may use it."""

from collections.abc import Callable
from pathlib import Path

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory.ldap.kerberos import ticket_holder
from tandem.org.load import require_organization
from tandem.process.bootstrap import open_context, place_of
from tandem.process.destroy import emptied
from tandem.process.errors import ProcessError
from tandem.process.task import Context
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR

AskPassword = Callable[[str, str], str]
"""Gives the password of an account. Arguments: the account, and why it is asked for. Raises where nobody can be asked."""


def nobody_to_ask(account: str, why: str) -> str:
    """An :data:`AskPassword` for callers without a person at a terminal."""
    raise ProcessError(f"no password for {account}: {why}; use --password-file")


def open_organization(
    file: Path,
    *,
    account: str = INITIAL_ADMINISTRATOR,
    password_file: Path | None = None,
    ask: AskPassword = nobody_to_ask,
    read_only: bool = False,
    destroy: bool = False,
) -> Context:
    """The organization in ``file`` and its directory, as ``account`` may use it.

    The password is the one in ``password_file``, else that in the secrets folder, else (in Active Directory) the
    administrator's Kerberos ticket, else what ``ask`` gives. ``destroy`` opens it as if nothing were declared any more.

    Raises:
        ConfigError: the file has errors.
        ProcessError: there is no password.
        DirectoryError: the directory refuses, or does not answer.
    """
    organization = require_organization(file)
    kept = organization.secrets / account
    password: str | None = ""
    if password_file is not None or not kept.exists():
        login = place_of(organization).account(account) if organization.uses_ldap else ""
        password = read_password(account, password_file, why=f"{kept} does not exist", login=login, ask=ask)
    if destroy:
        organization = emptied(organization)
    return open_context(
        organization, clock=SystemClock(), ids=SystemIds(), account=account, password=password, read_only=read_only
    )


def read_password(
    account: str, password_file: Path | None, *, why: str, login: str = "", ask: AskPassword = nobody_to_ask
) -> str | None:
    """A password from a file, or from ``ask``; ``None`` if there is a Kerberos ticket of ``login``.

    ``login`` is ``account@forest`` where the directory takes tickets.

    Raises:
        ProcessError: the file cannot be read, or nobody can be asked.
    """
    if password_file is not None:
        try:
            return password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ProcessError(f"{password_file} cannot be read as a password in UTF-8: {error}") from None
    if login and (holder := ticket_holder()):
        if holder == login.lower():
            return None
        why += f", the current Kerberos ticket is {holder}'s"
    return ask(account, why)
