"""Who holds which roles, read from the directory with nested membership."""

from collections.abc import Iterable

from tandem.directory.layout import Layout
from tandem.directory.port import Right, Session
from tandem.org.groups import SERVICE_GROUPS
from tandem.process.errors import NotPermitted
from tandem.process.roles import Requirement, requirement_text
from tandem.process.task import Context, layout_of
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR


class Roles:
    """The operator's groups, and the members of every group that is asked for. A role counts in one forest."""

    def __init__(self, context: Context) -> None:
        self._session: Session = context.session
        self._organization = context.organization
        self._own = self._session.groups_of(self._session.identity)
        self._members: dict[str, frozenset[str]] = {}
        self._layouts: dict[str, Layout] = {}

    def permits(self, required: Requirement, forest: str) -> bool:
        """Whether the operator may do what requires this."""
        return any(not self._lacking(alternative, forest) for alternative in required)

    def missing(self, required: Requirement, forest: str) -> str:
        """The groups that the operator lacks, of the alternative that is nearest."""
        _, names = min((len(names), names) for names in (self._lacking(each, forest) for each in required))
        return " and ".join(names)

    def advice(self, required: Requirement, forest: str) -> str:
        """A warning if the operator's roles are accepted, but are fewer than what is asked for."""
        for held in required:
            for fuller in required:
                if held < fuller and not self._lacking(held, forest) and self._lacking(fuller, forest):
                    asked, alone = " and ".join(sorted(fuller)), " and ".join(sorted(held))
                    return f"{alone} alone is accepted; the topic asks for {asked}"
        return ""

    def holders(self, required: Requirement, forest: str) -> tuple[str, ...]:
        """The accounts that may do what requires this, sorted."""
        found: set[str] = set()
        for alternative in required:
            sets = [self._of(self._layout(forest), group) for group in alternative]
            found |= frozenset.intersection(*sets) if sets else frozenset()
        return tuple(sorted(found))

    def expected(self, required: Requirement, forest: str) -> tuple[str, ...]:
        """The accounts to which phase 0 will give what is required, as far as it has still to make the groups; sorted."""
        found: set[str] = set()
        for alternative in required:
            sets = [self._declared_in(group, forest) for group in alternative]
            found |= set.intersection(*sets) if sets else set()
        return tuple(sorted(found))

    def _declared_in(self, group: str, forest: str) -> set[str]:
        layout, first = self._layout(forest), self._organization.forests[0].name
        if not self._session.may(Right.READ, layout.domain) or self._session.get(layout.group(group)) is not None:
            return set(self._of(layout, group))
        named = {
            each.account
            for each in self._organization.administrators
            if group in each.groups and (each.forest or first) == forest
        }
        return named | ({INITIAL_ADMINISTRATOR} if group not in SERVICE_GROUPS else set())

    def _lacking(self, alternative: Iterable[str], forest: str) -> list[str]:
        return sorted(name for name in alternative if self._layout(forest).group(name) not in self._own)

    def _layout(self, forest: str) -> Layout:
        return self._layouts.setdefault(forest, layout_of(self._organization, forest))

    def _of(self, layout: Layout, group: str) -> frozenset[str]:
        dn = layout.group(group)
        if dn.path not in self._members:
            self._members[dn.path] = frozenset(member.name for member in self._session.members(dn))
        return self._members[dn.path]


def require(context: Context, required: Requirement, *, forest: str, what: str) -> None:
    """Raises :class:`NotPermitted`, with who could do it, unless the operator may do ``what``."""
    roles = Roles(context)
    if not roles.permits(required, forest):
        holders = ", ".join(roles.holders(required, forest)) or "nobody yet"
        raise NotPermitted(
            f"{what} needs {requirement_text(required)}; {context.session.account} is not in "
            f"{roles.missing(required, forest)}. It can be done by: {holders}. Nothing was changed."
        )
