"""Destroy: the plan for the same organization with nothing declared any more.

Forests, administrators, servers' accounts and OUs stay declared: accounts and containers are never deleted, and somebody
has to hold the roles that removals need.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tandem.org.model import Organization

_GONE = (
    "messaging_servers",
    "voice_pools",
    "um_dial_plans",
    "um_mailbox_policies",
    "um_ip_gateways",
    "um_auto_attendants",
    "voice_dial_plans",
    "voice_policies",
    "pstn_usages",
    "voice_routes",
    "pstn_gateways",
    "contacts",
    "users",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied(Organization):
    """An organization with nothing to deploy, which still knows what it was."""

    declared: Organization

    @property
    def voice_forest(self) -> str:
        """The forest of what is to be removed."""
        return self.declared.voice_forest


def emptied(organization: Organization) -> Organization:
    """The organization without what Tandem deploys, but with its administrators."""
    kept: dict[str, Any] = {
        f.name: getattr(organization, f.name) for f in dataclasses.fields(organization) if f.name not in _GONE
    }
    return Emptied(**kept, declared=organization)
