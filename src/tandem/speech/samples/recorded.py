"""Recorded speech as WAV files."""

from importlib import resources


def bob_message() -> bytes:
    """A WAV file, mono, 8,000 Hz, 16-bit: Bob's message for Alice."""
    return resources.files("tandem.speech.samples").joinpath("bob-message.wav").read_bytes()
