"""Call answering's part outside its table: the message in the spool, and how much of the recording it keeps."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from tandem.call.errors import Ended
from tandem.call.leg import CallLeg
from tandem.mail.errors import MailError
from tandem.mail.spool import Draft
from tandem.media.session import Recorded, Sound
from tandem.um.applications.answering import IDLE_S, KEEP, MINIMUM_S, RECORDING_S, TABLE, TAIL_S
from tandem.um.menu.check import checked_together
from tandem.um.menu.driver import MenuCall
from tandem.um.menu.events import FactValue, Phrase
from tandem.um.menu.runner import MenuRunner
from tandem.um.menu.table import MenuOperation

_RATE = 8000
_TABLES = checked_together([TABLE])


class CallAnswering:
    """One call for a mailbox; a :class:`tandem.um.menu.driver.MenuApplication`.

    Args:
        leg: the call, answered.
        extension: the called user's.
        speak: makes phrases sound.
        draft: the message of the call, on disk.
        keep: closes that with the number of samples to keep, 0 for no message, and whether some of it is missing. It raises
            :class:`MailError` where the disk does not take it now.
        idle_s: seconds of silence that end the recording.
        recording_s: the longest recording, in seconds.
        call_s: the longest call, in seconds.
    """

    def __init__(
        self,
        leg: CallLeg,
        *,
        extension: str,
        speak: Callable[[Sequence[Phrase]], Sequence[Sound]],
        draft: Draft,
        keep: Callable[[Draft, int, bool], Awaitable[None]],
        idle_s: float,
        recording_s: float,
        call_s: float,
    ) -> None:
        self.sounds = speak
        self._leg = leg
        self._draft, self._keep = draft, keep
        self._runner = MenuRunner(
            _TABLES,
            TABLE.name,
            settings={IDLE_S.name: idle_s, RECORDING_S.name: recording_s},
            facts={"extension": extension},
            call_limit_s=call_s,
        )

    async def run(self) -> None:
        """Answer until the call is over."""
        await MenuCall(self._leg, self._runner, self).run()

    async def recording_file(self) -> Path:
        """See :class:`tandem.um.menu.driver.MenuApplication`."""
        return self._draft.part

    async def perform(
        self, operation: MenuOperation, facts: Mapping[str, FactValue], recorded: Awaitable[Recorded] | None
    ) -> tuple[str, Mapping[str, FactValue]]:
        """See :class:`tandem.um.menu.driver.MenuApplication`."""
        assert operation == KEEP
        heard = await recorded if recorded is not None else Recorded(samples=0, speech_ends_at=0)
        samples = samples_to_keep(heard)
        media_died = self._leg.ended.done() and self._leg.ended.result() is Ended.MEDIA
        try:
            await self._keep(self._draft, samples, media_died or bool(heard.failed))
        except MailError:  # it is told and kept as soon as the disk takes it; the caller is promised nothing
            return "failed", {}
        return "message" if samples else "nothing", {}


def samples_to_keep(recorded: Recorded) -> int:
    """How many samples of a recording are the message; 0 if it is none."""
    samples = min(recorded.samples, recorded.speech_ends_at + int(TAIL_S * _RATE))
    return samples if min(samples, recorded.speech_ends_at) >= MINIMUM_S * _RATE else 0
