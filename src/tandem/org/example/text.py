"""The example organization file as text."""

from importlib import resources


def example_text() -> str:
    """The example organization file."""
    return resources.files("tandem.org.example").joinpath("organization.yaml").read_text(encoding="utf-8")
