"""A forest that Exchange and Lync have set up, as a domain controller shows it."""

from tandem.directory.dn import DN
from tandem.directory.ldap.descriptor import RawAce, parse_descriptor
from tandem.directory.ldap.session import LdapSession
from tandem.directory.ldap.things import Thing
from tandem.directory.port import Scope


class LdapForeignForest:
    """See :class:`tandem.directory.ldap.exchange.source.ForeignForest`."""

    def __init__(self, session: LdapSession, name: str) -> None:
        self._session, self.name = session, name

    def find(self, base: DN, filter_: str, scope: Scope = Scope.SUBTREE, /) -> list[Thing]:
        """See the class."""
        return self._session.things(self.name, base, filter_, scope)

    def records(self, dn: DN) -> tuple[RawAce, ...]:
        """See the class."""
        values = self._session.forest(self.name).descriptor(dn)
        return parse_descriptor(values).records if values else ()

    def principal(self, sid: str) -> DN | None:
        """See the class."""
        return self._session.principal(sid)
