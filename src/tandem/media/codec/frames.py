"""Sounds cut into frames of 20 ms and encoded, once for each codec, shared by all streams that play them."""

from collections.abc import Iterable, Iterator

from tandem.media.codec.table import CODECS
from tandem.media.session import Sound


class FrameCache:
    """Keeps what it encoded until told to :meth:`forget`. A µ-law sound takes about half of what it takes as linear."""

    def __init__(self) -> None:
        self._frames: dict[tuple[bytes, str], Iterable[bytes]] = {}

    def frames(self, sound: Sound, codec: str) -> Iterable[bytes]:
        """The payloads of a sound, each 20 ms."""
        key = sound.digest, codec
        found = self._frames.get(key)
        if found is None:
            spoken = CODECS[codec]
            found = _Growing(spoken.payloads(sound.linear)) if spoken.remembers else spoken.frames(sound.linear)
            self._frames[key] = found
        return found

    def forget(self, digest: bytes) -> None:
        """Keep this sound no longer; a stream that plays it plays it to its end."""
        for codec in CODECS:
            self._frames.pop((digest, codec), None)


class _Growing:
    """Payloads that are encoded when the first stream that plays them needs them.

    Ten seconds of Opus at once take 60 ms, in which nobody else is sent anything.
    """

    def __init__(self, payloads: Iterator[bytes]) -> None:
        self._ready: list[bytes] = []
        self._payloads = payloads

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        while at < len(self._ready) or self._grown():
            yield self._ready[at]
            at += 1

    def _grown(self) -> bool:
        payload = next(self._payloads, None)
        if payload is not None:
            self._ready.append(payload)
        return payload is not None
