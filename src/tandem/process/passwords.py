"""Passwords of accounts: files of one each in the secrets folder, written when an account gets its password.

They are there to be handed out: an administrator's to that person, a server's to the machine that it runs on ('tandem
install'). Nothing needs them in the folder afterwards.
"""

from tandem.core.files import private_folder
from tandem.core.ids import Ids
from tandem.org.model import Organization
from tandem.pki.files import write_whole
from tandem.process.errors import ProcessError


def kept_password(organization: Organization, account: str) -> str:
    """An account's password from the secrets folder. Raises :class:`ProcessError` with what to do."""
    path = organization.secrets / account
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ProcessError(
            f"the password of {account} cannot be read from {path}: {getattr(error, 'strerror', '') or error}; it is written "
            "there when the account gets it (phase 0), to be handed out. Without it: --password-file"
        ) from None
    if not text:
        raise ProcessError(f"{path} is empty; it is to hold the password of {account}")
    return text


def new_password(organization: Organization, account: str, ids: Ids) -> str:
    """The password that an account is to get: the one that is in the secrets folder, else one at random, which is put there."""
    path = organization.secrets / account
    if not path.exists():
        private_folder(organization.secrets)
        write_whole(
            path, f"{ids.token(16)}-Tm\n".encode(), secret=True
        )  # with what Active Directory asks: capitals, too
    return kept_password(organization, account)
