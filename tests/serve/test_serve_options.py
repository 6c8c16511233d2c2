"""What ``tandem serve`` refuses before it begins."""

import pytest
from click.testing import CliRunner

from tandem.cli.serve import serve


@pytest.mark.parametrize(
    ("kind", "address", "why"),
    [
        ("um", "0.0.0.0", "peers are told this address"),
        ("um", "::", "peers are told this address"),
        ("um", "um1.example.com", "expected an IP address"),
        ("voice", "pool1.example.com", "expected an IP address"),
    ],
)
def test_an_address_that_peers_could_not_use_is_refused(kind: str, address: str, why: str) -> None:
    done = CliRunner().invoke(serve, [kind, "x.example.com", "--address", address])
    assert done.exit_code == 2 and why in " ".join(done.output.split())
