"""Phase 1: Setup. Oldest version first, since no older server can be added to an organization that has a newer version.

Setup is a program that a person starts: its command is shown, with the roles that are declared.
"""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.versions import Generation, generation, roles_of
from tandem.org.vocabulary import MessagingOrganization, PoolKind, ServerRole
from tandem.process.roles import Requirement
from tandem.process.runbook.exchange.forest import SHELLS, ExchangeForest
from tandem.process.runbook.exchange.preconditions import trusts
from tandem.process.runbook.model import UNKNOWN, RunbookStep, Text
from tandem.process.runbook.powershell import array, quote

_MINUTES = 60
"""Setup of one server, as Microsoft's help estimates it."""
_UPGRADE_MINUTES = 90
"""Bringing in 2013's UM beside an older one: 45 to 90 minutes."""


def servers(at: ExchangeForest) -> Iterator[RunbookStep]:
    """The first server may need Enterprise Admins, the others the organization's administrators."""
    first, others = at.servers[0], at.servers[1:]
    yield _deploy(at, "first-server", [first], first=True)
    for name, _, mine in at.split("servers", others, lambda server: SHELLS[generation(server)]):
        yield _deploy(at, name, mine, first=False)


def _deploy(at: ExchangeForest, name: str, mine: list[m.DeclaredMessagingServer], *, first: bool) -> RunbookStep:
    upgrade = generation(mine[0]) >= Generation.E2013 and at.versions[0] < Generation.E2013
    return at.step(
        1, name, _required(at, first=first),
        Text("Deploy the first of the Exchange servers", "Déployer le premier des serveurs Exchange") if first
        else Text("Deploy the other Exchange servers", "Déployer les autres serveurs Exchange"),
        shell=SHELLS[generation(mine[0])],
        where=Text("each server; the check: its Exchange Management Shell", "chaque serveur ; la vérification : son environnement Exchange Management Shell"),
        typed=tuple(_setup(at, server, first=first) for server in mine),
        checks=tuple(_server_check(server) for server in mine) + trusts(at, both=False),
        notes=(*(_first_notes(at) if first else ()), *_version_notes(at)),
        no_return=Text(
            "What Setup writes to the schema and the organization cannot be taken back; a server itself is removed by Setup /mode:Uninstall.",
            "Les modifications du schéma et de l'organisation par le programme d'installation sont irréversibles ; un serveur se supprime par Setup /mode:Uninstall.",
        ),
        minutes=_MINUTES * len(mine) + (_UPGRADE_MINUTES if upgrade else 0),
    )  # fmt: skip


def _required(at: ExchangeForest, *, first: bool) -> Requirement:
    return at.roles.servers(first=first, organization=at.org.messaging_organization_of(at.forest))


def _present(at: ExchangeForest) -> bool:
    return at.org.messaging_organization_of(at.forest) is MessagingOrganization.PRESENT


def _setup(at: ExchangeForest, server: m.DeclaredMessagingServer, *, first: bool) -> Text:
    version = generation(server)
    names: dict[str, str] = {ServerRole.UM: "UnifiedMessaging"}
    roles = ",".join(names.get(role, role) for role in roles_of(server))
    name = (
        f' /OrganizationName:"{at.org.messaging_organization_name_of(at.forest)}"' if first and not _present(at) else ""
    )
    if version < Generation.E2013:
        command = f"Setup.com /mode:Install /roles:{roles}{name}"
    else:
        command = f"Setup.exe /mode:Install /roles:{roles}{name} /IAcceptExchangeServerLicenseTerms"
    return Text(f"On {server.fqdn}: {command}", f"Sur {server.fqdn} : {command}")


def _first_notes(at: ExchangeForest) -> tuple[Text, ...]:
    present = Text(
        "The Exchange organization already exists: its own administrators are enough, and Setup takes no /OrganizationName.",
        "L'organisation Exchange existe déjà : ses administrateurs suffisent, et le programme d'installation n'accepte pas /OrganizationName.",
    )
    new = Text(
        "A new organization needs Enterprise Admins; where the schema is not prepared for this version, Schema Admins too. "
        "Other people may do that part before: Setup /PrepareSchema, then Setup /PrepareAD /OrganizationName. "
        "If there is an organization already, declare messaging_organization: present.",
        "Une nouvelle organisation nécessite Administrateurs de l'entreprise (Enterprise Admins) ; si le schéma n'est pas préparé pour "
        "cette version, Administrateurs du schéma (Schema Admins) également. D'autres personnes peuvent effectuer cette partie "
        "auparavant : Setup /PrepareSchema, puis Setup /PrepareAD /OrganizationName. "
        "Si une organisation existe déjà, déclarez messaging_organization: present.",
    )
    return (present,) if _present(at) else (new,)


def _server_check(server: m.DeclaredMessagingServer) -> str:
    names: dict[str, str] = {ServerRole.UM: "UnifiedMessaging"}
    name = quote(server.fqdn)
    return (
        f"$server = Get-ExchangeServer -Identity {name}\n"
        f"foreach ($role in {array(names.get(role, role) for role in roles_of(server))}) {{\n"
        f"    if (\"$($server.ServerRole)\" -notmatch ('\\b' + $role + '\\b')) {{ throw ({name} + ' has no role ' + $role) }}\n"
        "}"
    )


def _version_notes(at: ExchangeForest) -> Iterator[Text]:
    if len(at.shells) > 1:
        yield Text(
            "Deploy the versions in this order: once a newer version is in the organization, Setup cannot add an older one.",
            "Déployez les versions dans cet ordre : lorsqu'une version plus récente fait partie de l'organisation, aucune version antérieure ne peut être ajoutée.",
        )
    if Generation.E2013 in at.versions:
        yield Text(
            "Exchange 2013: install the Mailbox role before the Client Access role.",
            "Exchange 2013 : installez le rôle Boîte aux lettres avant le rôle Accès au client.",
        )
    if any(s.version == "2007" and s.service_pack < 3 for s in at.servers):
        yield Text("Exchange 2007: install Service Pack 3.", "Exchange 2007 : installez le Service Pack 3.")
    if Generation.E2016 in at.versions:
        yield Text(
            "The topic does not cover Exchange 2016; these are 2013's steps, with one role that holds both.",
            "Exchange 2016 n'est pas traité par la rubrique ; ces étapes sont celles de 2013, avec un seul rôle.",
        )
    if at.org.pools_of(PoolKind.TANDEM):
        yield UNKNOWN
