"""What ``tandem serve`` refuses before it begins."""

import pytest
from click.testing import CliRunner

from tandem.cli.operate.serve import serve
from tandem.media.ports import ANY
from tandem.wiring import CannotServe, Listen, most_calls


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
