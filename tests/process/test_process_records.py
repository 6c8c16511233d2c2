"""What the directory holds of Exchange and Lync: records that say so, where a Tandem server reads them, and nothing else."""

import dataclasses
from pathlib import Path

import pytest
import yaml

import vectors_runner
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.sqlite.session import EmbeddedDirectory
from tandem.org.load import require_organization
from tandem.org.model import Organization
from tandem.org.vocabulary import PoolKind, ServerKind
from tandem.process.bootstrap import context_of, create_directory
from tandem.process.errors import ProcessError
from tandem.process.task import Context, Task
from tandem.process.tasks.every import all_tasks
from tandem.process.tools.people import sip_secret_steps
from tandem.voice.config import VoiceDirectory, takes_calls
from tandem.wiring import Home, connect
from vectors_runner import CASES, set_at


def made(folder: Path, base: str = "exchange", **changes: object) -> Organization:
    """A base of the cases with changes, and its directory."""
    tree = yaml.safe_load((CASES / "base" / f"{base}.yaml").read_text())
    for path, value in changes.items():
        set_at(tree, path.split("__"), value)
    file = folder / "organization.yaml"
    file.write_text(yaml.safe_dump(tree))
    organization = require_organization(file)
    create_directory(organization, SystemIds())
    return organization


def trusted(organization: Organization) -> Context:
    session = EmbeddedDirectory(Path(organization.directory)).trusted()
    return context_of(organization, session, clock=SystemClock(), ids=SystemIds())


def tasks(context: Context) -> dict[str, Task]:
    return {task.id: task for task in all_tasks(context)}


def carry_out(context: Context) -> None:
    """What is Tandem's to do."""
    for task in tasks(context).values():
        if not task.by_hand:
            task.apply(context)


def test_tasks_of_exchange_and_lync_say_what_they_are(tmp_path: Path) -> None:
    context = trusted(made(tmp_path))
    found = tasks(context)
    own = {id_: task.title for id_, task in found.items() if not task.by_hand and task.phase.number == 0}
    assert {id_: title for id_, title in own.items() if "remove" not in id_ and "members" not in id_} == {
        "0/groups": "Who may carry out and confirm the runbook's steps: groups",
        "0/administrators": "Who may carry out and confirm the runbook's steps: administrators",
    }
    context.session.close()


def test_nothing_of_a_lync_pools_users_is_in_the_directory(tmp_path: Path) -> None:
    organization = made(tmp_path)
    context = trusted(organization)
    carry_out(context)
    assert not context.repository.all(o.VoicePool) and not context.repository.all(o.Trust)
    assert [user.account for user in context.repository.all(o.User) if user.sip_address or user.um_enabled] == []
    context.session.close()


def test_a_tandem_pool_reads_exchange_from_records_and_knows_where_calls_begin(tmp_path: Path) -> None:
    roles = {"messaging_servers__0__roles": ["ClientAccess"], "messaging_servers__1__roles": ["Mailbox"]}
    context = trusted(made(tmp_path, voice_pools__0__kind="tandem", **roles))
    found = tasks(context)
    assert found["7/exchange-record"].title.startswith("Record of ")
    assert found["11/exchange-user-record"].title.startswith("Record of ")
    carry_out(context)
    servers = {server.fqdn: server for server in context.repository.all(o.MessagingServer)}
    assert {fqdn: server.roles for fqdn, server in servers.items()} == {
        "ex1.example.com": ("ClientAccess",),
        "ex2.example.com": ("Mailbox",),
    }
    assert all(server.kind is ServerKind.EXCHANGE and server.dial_plans == ("Main",) for server in servers.values())
    (alice,) = (user for user in context.repository.all(o.User) if user.account == "alice")
    assert alice.um_enabled and [str(each) for each in alice.eum_addresses] == [
        "EUM:alice@example.com;phone-context=Main.example.com"
    ]
    assert not alice.pin_state  # Exchange makes the PIN
    context.session.close()


@pytest.mark.slow
def test_a_voice_server_finds_exchange_um_of_another_forest_by_its_own_account(tmp_path: Path) -> None:
    case = vectors_runner.Case(CASES / "mixed-exchange-um-other-forest.yaml", tmp_path, tmp_path / "templates")
    assert case.run() == case.data["expect"]  # everything is applied, and confirmed
    home = Home(folder=tmp_path)
    directory = VoiceDirectory(lambda: connect(home, "pool1.example.com"), "pool1.example.com", "example.com")
    changes = directory.index.poll()
    assert changes is not None
    directory.index.take(changes)
    config = directory.config()
    plan = config.um_dial_plan_of(config.users["alice@example.com"])
    assert plan is not None and plan.phone_context == "Main.mail.example.net"
    assert [s.fqdn for s in config.um_servers["Main"] if takes_calls(s)] == ["ex1.mail.example.net"]
    assert [s.fqdn for s in config.um_servers["Main"]] == ["ex1.mail.example.net", "ex2.mail.example.net"]
    directory.index.close()


@pytest.mark.parametrize("kind", [PoolKind.TANDEM, PoolKind.LYNC])
def test_nothing_is_recorded_in_active_directory(tmp_path: Path, kind: PoolKind) -> None:
    organization = made(tmp_path)
    pools = tuple(dataclasses.replace(pool, kind=kind) for pool in organization.voice_pools)
    context = trusted(organization)
    real = dataclasses.replace(organization, directory="ldaps://dc1.example.com", voice_pools=pools)
    found = tasks(dataclasses.replace(context, organization=real))
    assert not [id_ for id_ in found if "record" in id_]
    context.session.close()


def test_schema_admins_is_made_in_the_embedded_directory_alone(tmp_path: Path) -> None:
    context = trusted(made(tmp_path))
    real = dataclasses.replace(context.organization, directory="ldaps://dc1.example.com")
    groups = {
        ldap: {change.name for change in tasks(here)["0/groups"].changes(here)}
        for ldap, here in ((False, context), (True, dataclasses.replace(context, organization=real)))
    }
    assert groups[False] - groups[True] == {"Schema Admins"}
    context.session.close()


def test_a_secret_is_taken_back_from_who_moves_to_a_lync_pool(tmp_path: Path) -> None:
    lync = {"fqdn": "lync1.example.com", "forest": "example.com", "kind": "lync"}
    organization = made(tmp_path, "single", **{"voice_pools__+": lync})
    context = trusted(organization)
    carry_out(context)
    (before,) = (user for user in context.repository.all(o.User) if user.account == "bob")
    assert context.repository.sip_secret(before)
    users = tuple(
        dataclasses.replace(user, pool="lync1.example.com") if user.account == "bob" else user
        for user in organization.users
    )
    moved = dataclasses.replace(context, organization=dataclasses.replace(organization, users=users))
    tasks(moved)["0/lync-user-record"].apply(moved)
    (after,) = (user for user in context.repository.all(o.User) if user.account == "bob")
    assert after.home_pool == "lync1.example.com" and not context.repository.sip_secret(after)
    with pytest.raises(ProcessError, match=r"at home in the Lync pool lync1\.example\.com"):
        list(sip_secret_steps(moved, after))
    context.session.close()
