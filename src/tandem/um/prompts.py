"""What the UM server says, as sounds that every call shares."""

from collections.abc import Sequence
from functools import cache

from tandem.media.session import Sound
from tandem.speech.catalogue import PAUSE_S, Catalogue, beep, silence
from tandem.speech.sentences import Spoken
from tandem.um.menu.events import Phrase

_SIGNALS = {
    "lead-in": (Sound.of(silence(0.5)),),  # a phone that is picked up is heard a moment later
    "tone": (Sound.of(silence(0.2)), Sound.of(beep())),
}
"""Sentences of every language."""


class Prompts:
    """The prompts of one language. A sentence is a list of sounds, so that none is encoded twice."""

    def __init__(self, language: str) -> None:
        self._catalogue = Catalogue(language)
        self._prompt = cache(lambda prompt: Sound.of(self._catalogue.sound(prompt)))
        self._pause = Sound.of(silence(PAUSE_S))

    def speak(self, phrases: Sequence[Phrase]) -> list[Sound]:
        """Phrases one after the other, with short pauses within each. Raises :class:`SpeechError` as the catalogue does."""
        return [sound for phrase in phrases for sound in self._phrase(phrase)]

    def _phrase(self, phrase: Phrase) -> Sequence[Sound]:
        if (signal := _SIGNALS.get(phrase.sentence)) is not None:
            return signal
        spoken = self._catalogue.speak(phrase.sentence, dict(phrase.values))
        return [sound for each in spoken for sound in (self._pause, self._sound(each))][1:]

    def _sound(self, spoken: Spoken) -> Sound:
        return self._prompt(spoken) if isinstance(spoken, str) else Sound.of(spoken)
