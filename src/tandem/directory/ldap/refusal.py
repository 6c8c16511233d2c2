"""What a directory refuses, as our errors."""

import ldap

from tandem.directory.errors import (
    AccessDenied,
    AlreadyExists,
    BadName,
    DirectoryError,
    NoSuchObject,
    SchemaViolation,
)
from tandem.directory.ldap.connection import text_of

_SCHEMA = (
    ldap.CONSTRAINT_VIOLATION,
    ldap.OBJECT_CLASS_VIOLATION,
    ldap.UNDEFINED_TYPE,
    ldap.INVALID_SYNTAX,
    ldap.NO_SUCH_ATTRIBUTE,
    ldap.NAMING_VIOLATION,
    ldap.UNWILLING_TO_PERFORM,
    ldap.TYPE_OR_VALUE_EXISTS,
)


def refusal(error: ldap.LDAPError, account: str, what: str, dn: object) -> DirectoryError:
    """The error for a request of an account that was to do ``what`` (such as ``write mail on``) with an entry."""
    text = text_of(error)
    match error:
        case ldap.INSUFFICIENT_ACCESS():
            return AccessDenied(account, what.removesuffix(" on") + " on", dn)
        case ldap.NO_SUCH_OBJECT():
            return NoSuchObject(f"{dn} (or what is above it) is not there, or not visible to {account}")
        case ldap.ALREADY_EXISTS():
            return AlreadyExists(f"{dn} is there already")
        case ldap.INVALID_DN_SYNTAX() | ldap.FILTER_ERROR():
            return BadName(f"{dn}: {text}")
        case ldap.NOT_ALLOWED_ON_NONLEAF():
            return DirectoryError(f"{dn} has entries below it; delete those first")
        case ldap.REFERRAL():
            return DirectoryError(
                f"{dn} is kept by other servers ({text}), which are not asked: "
                "a child domain, or a forest that the organization file gives no directory of"
            )
        case ldap.SIZELIMIT_EXCEEDED() | ldap.ADMINLIMIT_EXCEEDED():
            return DirectoryError(
                f"{dn}: the directory gives {account} no more than a part of what it asks for ({text}), and a part "
                "is not enough: raise this account's limit on entries"
            )
        case _ if isinstance(error, _SCHEMA):
            return SchemaViolation(f"{dn}: the directory refuses to {what} it: {text}")
    return DirectoryError(f"{dn}: the directory failed to {what} it: {text}")
