"""What ``tandem serve`` refuses before it begins."""

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from tandem.admin.trial.demo import POOL, UM
from tandem.cli.main import tandem
from tandem.cli.operate.serve import serve
from tandem.media.ports import ANY
from tandem.wiring import CannotServe, Home, Listen, most_calls, start_um, start_voice


@pytest.mark.parametrize(
    ("kind", "address", "why"),
    [
        ("um", "0.0.0.0", "this address goes into SDP"),
        ("um", "::", "this address goes into SDP"),
        ("um", "um1.example.com", "expected an IP address"),
        ("voice", "pool1.example.com", "expected an IP address"),
    ],
)
def test_an_address_that_peers_could_not_use_is_refused(kind: str, address: str, why: str) -> None:
    done = CliRunner().invoke(serve, [kind, "x.example.com", "--address", address])
    assert done.exit_code == 2 and why in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("wanted", "ports", "most"),
    [
        (None, ANY, 800),
        (None, range(20_000, 20_100), 50),
        (None, range(20_001, 20_100), 49),
        (50, range(20_000, 20_100), 50),
    ],
)
def test_no_more_calls_are_taken_than_have_ports(wanted: int | None, ports: range, most: int) -> None:
    assert most_calls(Listen(max_calls=wanted, media_ports=ports), workers=2) == most


def test_more_calls_than_have_ports_are_a_mistake() -> None:
    with pytest.raises(CannotServe, match="--max-calls 51 needs 102 ports"):
        most_calls(Listen(max_calls=51, media_ports=range(20_000, 20_100)), workers=2)


@pytest.mark.parametrize(
    ("start", "fqdn", "told"),
    [
        (start_um, "um9.example.com", rf"is the home of {POOL}, {UM}; another is named by --home. Is it {UM}\?"),
        (start_um, "UM1.EXAMPLE.COM", rf"Is it {UM}\?"),
        (start_um, POOL, rf"{POOL} is a voice server: tandem serve voice {POOL}"),
        (start_voice, UM, rf"{UM} is a UM server: tandem serve um {UM}"),
    ],
)
async def test_a_wrong_name_or_command_is_told_with_the_right_one(
    deployed: Path, start: object, fqdn: str, told: str
) -> None:
    with pytest.raises(CannotServe, match=told):
        await start(Home(folder=deployed), fqdn, Listen())  # type: ignore[operator]


async def test_a_folder_that_is_no_home_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        CannotServe, match=r"is no home of a server: name another by --home; 'tandem install' makes one"
    ):
        await start_um(Home(folder=tmp_path), UM, Listen())


async def test_a_name_to_resolve_that_nobody_has_is_warned_of(deployed: Path, caplog: pytest.LogCaptureFixture) -> None:
    resolve = dict.fromkeys((UM, POOL, "umm1.example.com"), ("127.0.0.1", 5061))
    with caplog.at_level(logging.WARNING, "tandem.service"):
        running = await start_voice(Home(folder=deployed), POOL, Listen(resolve=resolve, ports={"tls": 0}))
    await running.server.stop()
    assert [r.message.partition(" why=")[0] for r in caplog.records] == [
        "service.resolve_unknown name=umm1.example.com"
    ]


def test_a_room_that_logs_nothing_is_refused_with_those_that_do(tmp_path: Path) -> None:
    refused = CliRunner().invoke(tandem, ["serve", "um", UM, "--home", str(tmp_path), "--log-level", "foo=debug"])
    assert "nothing logs as foo; rooms are " in str(refused.exception) and "sip" in str(refused.exception)
