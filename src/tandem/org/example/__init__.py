"""The commented example that ``tandem init`` writes: the fictitious organization of example.com."""

from importlib import resources


def example_text() -> str:
    """The example organization file."""
    return resources.files(__name__).joinpath("organization.yaml").read_text(encoding="utf-8")
