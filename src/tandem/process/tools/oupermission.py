"""OU permissions, as Grant-, Test- and Revoke-CsOUPermission: for an OU whose inheritance is blocked, by object type.

The rights are those that Lync's domain preparation puts at the root of a domain, in this directory's terms: property sets
stand for the attributes that Tandem keeps. For contacts the right to create and delete them is part of it: the process
asks for it where an operator "lacks the right on the OU", although the published table shows it for devices alone.
"""

from collections.abc import Iterator
from functools import partial

from tandem.directory.defaults import VOICE_USER_ATTRIBUTES, contact_aces
from tandem.directory.dn import DN
from tandem.directory.port import Ace, Inherit, Right
from tandem.process.errors import ProcessError
from tandem.process.task import Context, Step, ace_change, ensure_aces

TYPES = {
    "User": "user",
    "InetOrgPerson": "user",
    "Contact": "contact",
    "AppContact": "contact",
    "Device": "contact",
    "Computer": "computer",
}
"""Object types as Grant-CsOUPermission names them, with the class whose rights are granted. Analog devices are contacts."""
MOST_TYPES = 3
_SEE = Right.LIST | Right.READ


def aces_for(context: Context, object_type: str) -> tuple[Ace, ...]:
    """What has to stand on an OU for an object type."""
    group = context.layout.group
    class_ = TYPES[object_type]
    aces = [
        Ace(principal=group("RTCUniversalServerReadOnlyGroup"), rights=_SEE, inherit=Inherit.THIS),
        Ace(principal=group("RTCUniversalUserReadOnlyGroup"), rights=_SEE),
        Ace(principal=group("RTCHSUniversalServices"), rights=_SEE),
    ]
    if class_ == "user":
        aces.append(
            Ace(
                principal=group("RTCUniversalUserAdmins"),
                rights=Right.WRITE,
                inherit=Inherit.DESCENDANTS,
                object_class=class_,
                attributes=VOICE_USER_ATTRIBUTES,
            )
        )
    elif class_ == "contact":
        aces += contact_aces(context.layout)
    return tuple(aces)


def grant_steps(context: Context, object_type: str, ou: DN) -> Iterator[Step]:
    """The entries that are missing on the OU itself."""
    require_ou(context, ou)
    yield from ensure_aces(context, ou, aces_for(context, object_type))


def revoke_steps(context: Context, object_type: str, ou: DN) -> Iterator[Step]:
    """The entries of this type that stand on the OU itself; what another granted type needs stays."""
    require_ou(context, ou)
    mine = aces_for(context, object_type)
    lacking = context.session.lacking(ou, mine)
    others = [aces_for(context, name) for name in TYPES]
    # Another type is granted if what it has beyond the common part is there too.
    kept = {ace for aces in others if set(aces) - set(mine) and not context.session.lacking(ou, aces) for ace in aces}
    for ace in mine:
        if ace not in lacking and ace not in kept:
            yield ace_change("-", ou, ace), partial(context.session.revoke, ou, (ace,))


def granted(context: Context, object_type: str, ou: DN) -> bool:
    """Test-CsOUPermission: whether the OU itself has, or inherits, what the type needs."""
    require_ou(context, ou)
    return all(_effective(context, ace, ou) for ace in aces_for(context, object_type))


def may_create_contacts(context: Context, ou: DN) -> bool:
    """Whether the voice side's administrators may make contacts there."""
    return all(_effective(context, ace, ou) for ace in contact_aces(context.layout))


def _effective(context: Context, wanted: Ace, ou: DN) -> bool:
    """Whether entries on the OU, or above it that are inherited, give all that is wanted."""
    principals = _with_nested(context, wanted)
    missing = {(right, name) for right in Right if right in wanted.rights for name in wanted.attributes or {""}}
    at, own = ou, True
    while at.rdns:
        for ace in context.session.aces(at):
            inherited = own or ace.inherit is not Inherit.THIS
            same_class = ace.object_class in ("", wanted.object_class)
            if inherited and same_class and ace.principal in principals:
                named = ace.attributes
                missing = {(r, name) for r, name in missing if r not in ace.rights or (named and name not in named)}
        if not missing or context.session.protected(at):
            break
        at, own = at.parent, False
    return not missing


def _with_nested(context: Context, wanted: Ace) -> set[DN]:
    return {wanted.principal, *context.session.groups_of(wanted.principal)}


def require_ou(context: Context, ou: DN) -> None:
    """Raises :class:`ProcessError` if there is no such OU."""
    entry = context.session.get(ou)
    if entry is None or "organizationalUnit" not in entry.all("objectClass"):
        raise ProcessError(
            f"there is no OU {ou} that you can read; "
            "expected the distinguished name of one, such as OU=People,DC=example,DC=com"
        )
