"""What can be wrong in media."""

from tandem.core.errors import TandemError


class MediaError(TandemError):
    """The root of this room's errors."""


class BadPacket(MediaError):
    """What came off the wire is not RTP, or did not prove to be from our peer; it is counted and dropped."""


class BadWav(MediaError):
    """A sound file that is not mono WAV of 8,000 Hz in 16-bit linear or G.711."""


class Unavailable(MediaError):
    """No media for a call now; a later attempt may find some."""


class NoPort(Unavailable):
    """No free UDP port was found in the range for media."""


class NoWorker(Unavailable):
    """The engine has no worker that runs."""


class NotBridgeable(MediaError):
    """Two sessions that live in different places cannot be bridged: open the second one ``beside`` the first."""
