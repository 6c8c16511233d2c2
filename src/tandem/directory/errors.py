"""What the directory can refuse, and why."""

from tandem.core.errors import TandemError


class DirectoryError(TandemError):
    """The root of this room's errors."""


class BadName(DirectoryError):
    """A distinguished name or filter that cannot be read."""


class BadAddress(DirectoryError):
    """An address of a directory that cannot be read."""


class NoSuchObject(DirectoryError):
    """The entry is not there, or not visible to this identity: the directory does not tell which."""


class AlreadyExists(DirectoryError):
    """An entry of this name is there."""


class SchemaViolation(DirectoryError):
    """A class or attribute that the schema does not have, or a value that it does not allow."""


class AccessDenied(DirectoryError):
    """The identity may not do this; the message names it, the right and the object."""

    def __init__(self, account: str, right: str, dn: object) -> None:
        super().__init__(f"{account} has no right to {right} {dn}")
        self.account = account
        self.right = right
        self.dn = str(dn)


class InvalidCredentials(DirectoryError):
    """The account or the password is wrong, or the account is locked: the directory does not tell which."""


class StillReferenced(DirectoryError):
    """An object that others refer to cannot be removed; the message names them."""

    def __init__(self, dn: object, referrers: list[str]) -> None:
        shown = ", ".join(referrers[:5]) + (f" and {len(referrers) - 5} more" if len(referrers) > 5 else "")
        super().__init__(f"{dn} cannot be removed: {shown} refer(s) to it; change or remove those first")


class BadEntry(DirectoryError):
    """An entry that does not hold what its class promises."""

    def __init__(self, dn: object, attribute: str, found: str) -> None:
        super().__init__(f"{dn}: {attribute} holds {found!r}, which cannot be read")


class DirectoryUnavailable(DirectoryError):
    """The directory cannot be opened or written now; the message says what to do."""


class DirectoryNotProved(DirectoryUnavailable):
    """Nobody who answers proves to be the directory's server; to try again does not help."""
