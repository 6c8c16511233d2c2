"""Examine: the verification matrix on an organization that somebody else deployed, without a file of its own.

What Tandem keeps is looked at where it is. What Exchange and Lync keep is put into an embedded directory that lasts as long
as the examination, with the rights that stand on the real containers.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from tandem.core.clock import Clock
from tandem.core.ids import Ids
from tandem.directory import objects as o
from tandem.directory.defaults import exchucutil_aces
from tandem.directory.dn import DN
from tandem.directory.found import Found, runs_um
from tandem.directory.layout import ORGANIZATION_CLASS, POOLS_CLASS, RTC_SERVICE_CLASS, Layout
from tandem.directory.port import Session
from tandem.directory.repository import Repository
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.directory.sqlite.store import create_embedded
from tandem.org.groups import GROUPS
from tandem.org.model import Organization
from tandem.process.task import Context, layout_of
from tandem.process.verify.matrix import Check, check, verify_matrix
from tandem.process.verify.readable import graded


def examine(
    found: Found, organization: Organization, session: Session, folder: Path, *, clock: Clock, ids: Ids
) -> Iterator[Check]:
    """Every check, then everything that was not understood, as warnings. ``folder`` is empty, and may be forgotten."""
    if found.foreign:
        session = _rebuilt(found, organization, folder)
    layout = layout_of(organization, organization.forests[0].name)
    repository = Repository(session, layout, owner=organization.name)
    context = Context(
        organization=organization, session=session, repository=repository, layout=layout, clock=clock, ids=ids
    )
    yield from graded(found, verify_matrix(context))
    for note in found.notes:
        yield check(
            "Read, and not understood or told by something else",
            note,
            "",
            1,
            "compare with the product's own tools",
            warn=True,
        )
    if found.foreign:
        session.close()


def _rebuilt(found: Found, organization: Organization, folder: Path) -> Session:
    path = folder / "directory.db"
    create_embedded(path)
    session = EmbeddedDirectory(path).trusted()
    layouts = {forest: layout_of(organization, forest) for forest in found.objects}
    with session.transaction():
        for at in layouts.values():
            _forest_containers(session, at)
        _voice_containers(session, layout_of(organization, organization.voice_forest))
        for forest, at in layouts.items():
            _objects(session, at, found.objects[forest])
        for forest, at in layouts.items():
            own = dataclasses.replace(at, organization=found.organizations.get(forest, at.organization))
            for (text, _), (there, _) in zip(exchucutil_aces(at), exchucutil_aces(own), strict=True):
                session.grant(DN.parse(text), found.rights.get(forest, {}).get(there, ()))
    return session


def _forest_containers(session: Session, at: Layout) -> None:
    session.add(at.domain, {"objectClass": ("top", "domainDNS")})
    for dn in (at.users, at.computers, at.configuration, at.services, at.microsoft_exchange):
        session.add(dn, {"objectClass": ("top", "container")})
    session.add(at.exchange, {"objectClass": ("top", ORGANIZATION_CLASS)}, protected=True)
    for dn in (
        *(at.um_dial_plans, at.um_ip_gateways, at.um_auto_attendants, at.um_mailbox_policies),
        *(at.administrative_groups, at.servers.parent, at.servers),
    ):
        session.add(dn, {"objectClass": ("top", "container")})


def _voice_containers(session: Session, at: Layout) -> None:
    session.add(at.rtc_service, {"objectClass": ("top", RTC_SERVICE_CLASS)})
    session.add(at.pools, {"objectClass": ("top", POOLS_CLASS)})
    for dn in (at.voice, at.voice_dial_plans, at.voice_policies, at.voice_routes, at.pstn_usages, at.trunks):
        session.add(dn, {"objectClass": ("top", "container")})
    for name in GROUPS["V"]:
        Repository(session, at).add(o.Group(name=name))


def _objects(session: Session, at: Layout, objects: Sequence[object]) -> None:
    repository = Repository(session, at)
    running = [each for each in objects if not isinstance(each, o.MessagingServer) or runs_um(each)]
    for each in sorted(running, key=lambda each: isinstance(each, o.UMHuntGroup)):  # below their gateways
        if isinstance(each, o.User | o.Contact):
            _place(session, DN.parse(each.container))
        # Of what names the account, the account's own entry is not part of the examination.
        repository.add(dataclasses.replace(each, cn="") if isinstance(each, o.User) else each)


def _place(session: Session, dn: DN) -> None:
    """A place that people stand in, with all above it."""
    if session.get(dn) is None:
        _place(session, dn.parent)
        class_ = "organizationalUnit" if dn.rdns[0][0].upper() == "OU" else "container"
        session.add(dn, {"objectClass": ("top", class_)})
