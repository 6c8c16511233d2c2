"""Opening an organization: its file, and its directory as an administrator may use it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory.errors import InvalidCredentials
from tandem.directory.ldap.kerberos import ticket_holder
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.load import require_organization
from tandem.org.model import Organization
from tandem.process.bootstrap import open_context, place_of
from tandem.process.destroy import emptied
from tandem.process.errors import ProcessError
from tandem.process.passwords import kept_password
from tandem.process.task import Context
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR

AskPassword = Callable[[str], str]
"""Gives the password of an account. Raises where nobody can be asked."""


def nobody_to_ask(account: str) -> str:
    """An :data:`AskPassword` for callers without a person at a terminal."""
    raise ProcessError(f"no password for {account}, and nobody can be asked; use --password-file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who acts, and what proves it: ``password_file``, or a ticket (``kerberos``), or ``from_secrets``, the file in the
    organization's secrets folder. Of none of them: a ticket of the account if there is one, else ``ask`` is called."""

    account: str = INITIAL_ADMINISTRATOR
    password_file: Path | None = None
    kerberos: bool = False
    from_secrets: bool = False
    ask: AskPassword = nobody_to_ask

    def password(self, *, login: str = "") -> str | None:
        """The password; ``None`` for a Kerberos ticket of ``login`` (``account@forest``), where the directory takes tickets.

        Raises:
            ProcessError: the file cannot be read, there is no ticket, or nobody can be asked.
        """
        if self.password_file is not None:
            try:
                return self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ProcessError(f"{self.password_file} cannot be read as a password in UTF-8: {error}") from None
        holder = ticket_holder() if login else ""
        if login and holder == login.lower():
            return None
        if self.kerberos:
            if not login:
                raise ProcessError("the embedded directory takes no Kerberos tickets; use --password-file, or be asked")
            held = f"the current Kerberos ticket is {holder}'s" if holder else "there is no valid Kerberos ticket"
            raise ProcessError(f"{held}; expected one of {login}: kinit {login}")
        return self.ask(self.account)


def open_organization(
    file: Path, operator: Operator | None = None, *, read_only: bool = False, destroy: bool = False
) -> Context:
    """The organization in ``file`` and its directory, as the operator may use it; by default the initial administrator.

    ``destroy`` opens it as if nothing were declared any more.

    Raises:
        ConfigError: the file has errors.
        ProcessError: there is no such account yet, or no password.
        DirectoryError: the directory refuses, or does not answer.
    """
    organization, operator = require_organization(file), operator or Operator()
    account, login = operator.account, ""
    if organization.uses_ldap:
        login = place_of(organization).account(account)
    else:
        _require_account(organization, account)
    if operator.from_secrets:
        password: str | None = kept_password(organization, account)
    else:
        password = operator.password(login=login)
    try:
        return open_context(
            emptied(organization) if destroy else organization,
            clock=SystemClock(),
            ids=SystemIds(),
            account=account,
            password=password,
            read_only=read_only,
        )
    except InvalidCredentials as error:
        if login and any(account == each.account for each in organization.administrators):
            raise InvalidCredentials(f"{error}. If phase 0 was not carried out yet, there is no such account") from None
        raise


def _require_account(organization: Organization, account: str) -> None:
    """Say what is missing before a password is asked for. Who opens the embedded directory's file may know."""
    if EmbeddedDirectory(Path(organization.directory)).knows(account):
        return
    declared = [each.account for each in organization.administrators]
    if account in declared:
        raise ProcessError(
            f"{account} is declared, but the account is not made yet; phase 0 makes it: "
            f"'tandem apply {organization.path} --phase preconditions', as {INITIAL_ADMINISTRATOR}"
        )
    names = ", ".join((INITIAL_ADMINISTRATOR, *declared))
    raise ProcessError(f"--as {account}: the directory knows no such account; the administrators are {names}")
