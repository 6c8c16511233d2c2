"""The prompts of one language as sound: 16-bit linear samples at 8,000 Hz.

The tone is arithmetic.
"""

import math
from array import array
from collections.abc import Mapping
from importlib import resources

from tandem.speech.errors import SpeechError
from tandem.speech.prompts import en_us
from tandem.speech.sentences import Spoken

RATE = 8000
LANGUAGES = {en_us.LANGUAGE.tag: en_us.LANGUAGE}
PAUSE_S = 0.12
"""Between two prompts of a sentence."""
_BEEP_HZ, _BEEP_S, _BEEP_LEVEL = 1000, 0.3, 8000


class Catalogue:
    """Every prompt of a language; made once at start, when a missing one is an error."""

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise SpeechError(f"no prompts for language {language!r}; there are {', '.join(LANGUAGES)}")
        self._language = LANGUAGES[language]
        self._sounds = {name: _load(self._language.folder, name) for name in self._language.texts}

    def sound(self, prompt: str) -> bytes:
        """One prompt. Raises :class:`SpeechError` for an unknown id."""
        try:
            return self._sounds[prompt]
        except KeyError:
            raise SpeechError(f"there is no prompt {prompt!r}") from None

    def speak(self, sentence: str, values: Mapping[str, object]) -> list[Spoken]:
        """See :meth:`tandem.speech.sentences.Language.speak`."""
        return self._language.speak(sentence, values)


def silence(seconds: float) -> bytes:
    """Silence of this length."""
    return bytes(2 * int(seconds * RATE))


def beep() -> bytes:
    """The tone after which the caller speaks; it swells and fades in 10 ms, so that it does not click."""
    count = int(_BEEP_S * RATE)
    edge = RATE // 100
    return array(
        "h",
        (
            int(_BEEP_LEVEL * min(1.0, i / edge, (count - i) / edge) * math.sin(2 * math.pi * _BEEP_HZ * i / RATE))
            for i in range(count)
        ),
    ).tobytes()


def _load(folder: str, name: str) -> bytes:
    file = resources.files("tandem.speech.prompts").joinpath(folder, f"{name}.wav")
    try:
        return _samples(file.read_bytes())
    except FileNotFoundError:
        raise SpeechError(f"the sound of prompt {name!r} is missing; tools/render_prompts makes it") from None


def _samples(wav: bytes) -> bytes:
    """The samples of a shipped file: RIFF with 16-bit linear sound, whose data chunk is its last."""
    at = wav.find(b"data")
    if wav[:4] != b"RIFF" or at < 0:
        raise SpeechError("a prompt is not a WAV file")
    return wav[at + 8 :]
