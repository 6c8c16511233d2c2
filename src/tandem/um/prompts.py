"""What the UM server says, as sounds that every call shares."""

from functools import cache

from tandem.media.session import Sound
from tandem.speech.catalogue import PAUSE_S, Catalogue, beep, silence


class Prompts:
    """The prompts of one language. A sentence is a list of sounds, so that none is encoded twice."""

    def __init__(self, language: str) -> None:
        self._catalogue = Catalogue(language)
        self._sound = cache(lambda prompt: Sound.of(self._catalogue.say(prompt)))
        self._pause = Sound.of(silence(PAUSE_S))

    def say(self, *prompts: str) -> list[Sound]:
        """Prompts one after the other with short pauses. Raises :class:`SpeechError` for an unknown id."""
        return [sound for prompt in prompts for sound in (self._pause, self._sound(prompt))][1:]


LEAD = Sound.of(silence(0.5))
"""Before the greeting: a phone that is picked up is heard a moment later."""
TONE = (Sound.of(silence(0.2)), Sound.of(beep()))
