"""Reading a deployment of Exchange UM and Lync or Skype for Business as their own setup keeps it in Active Directory.

What is published is read; what the forest's own schema or other values tell is read by them, and a note says so. What neither
tells is unread (:class:`tandem.directory.found.Unread`): it is never taken for read. Everything else that is seen is named.
"""

from collections.abc import Sequence

from tandem.directory.found import Found
from tandem.directory.layout import ORGANIZATION_CLASS
from tandem.directory.ldap.exchange import people
from tandem.directory.ldap.exchange.grants import rights
from tandem.directory.ldap.exchange.messaging import MessagingReader
from tandem.directory.ldap.exchange.names import SchemaNames
from tandem.directory.ldap.exchange.source import ForeignForest, ForestReport
from tandem.directory.ldap.exchange.voice import VoiceReader


def present(forest: ForeignForest) -> bool:
    """Whether an organization of Exchange's own, or a pool of Lync's, is in a forest."""
    report = ForestReport(forest)
    return any(report.things(ORGANIZATION_CLASS)) or bool(VoiceReader(report).places)


def read_exchange(forest: ForeignForest, groups: Sequence[str]) -> Found:
    """Everything of UM and of Lync that a forest's directory tells, with the direct members of ``groups``."""
    report, name = ForestReport(forest), forest.name
    found = report.found
    found.foreign = True
    organization = next((each.dn.name for each in report.things(ORGANIZATION_CLASS)), "")
    if organization:
        found.organizations[name] = organization
    voice, messaging = VoiceReader(report), MessagingReader(report, SchemaNames(forest))
    policies = {thing.dn: thing.dn.name for thing in report.things("msExchUMRecipientTemplate")}
    pools = list(voice.pools())
    users = list(people.users(report, voice, messaging.plans, policies))
    found.objects[name] = [
        *messaging.dial_plans(users),
        *messaging.policies(users),
        *messaging.gateways([pool.fqdn for pool in pools]),
        *messaging.attendants(),
        *messaging.servers(),
        *pools,
        *users,
        *people.contacts(report, voice),
    ]
    found.groups[name] = people.members(report, groups)
    found.trusts[name] = people.trusts(report)
    found.rights[name] = rights(report, organization) if organization else {}
    return found
