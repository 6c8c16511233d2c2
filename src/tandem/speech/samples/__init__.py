"""What the demonstration's caller says."""

from importlib import resources


def bob_message() -> bytes:
    """A WAV file, mono, 8,000 Hz, 16-bit: Bob's message for Alice."""
    return resources.files(__name__).joinpath("bob-message.wav").read_bytes()
