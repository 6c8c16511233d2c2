"""Call answering's part outside its table: the message in the spool, and how much of the recording it keeps."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from tandem.call.errors import Ended
from tandem.call.leg import CallLeg
from tandem.core.tasks import spawn
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
        begin: makes a message of the call (on disk); called as soon as the call is answered.
        keep: closes that with the number of samples to keep, 0 for no message, and whether we, not the caller, cut it off.
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
        begin: Callable[[], Awaitable[Draft]],
        keep: Callable[[Draft, int, bool], Awaitable[None]],
        idle_s: float,
        recording_s: float,
        call_s: float,
    ) -> None:
        self.sounds = speak
        self._leg = leg
        self._begin, self._keep = begin, keep
        self._runner = MenuRunner(
            _TABLES,
            TABLE.name,
            settings={IDLE_S.name: idle_s, RECORDING_S.name: recording_s},
            facts={"extension": extension},
            call_limit_s=call_s,
        )
        self._draft: asyncio.Future[Draft] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Answer until the call is over. Raises what ``begin`` and ``keep`` raise; the call has ended then, too."""
        spawn(self._begin_draft(), name="um.begin_message")  # the disk takes its time while the greeting plays
        await MenuCall(self._leg, self._runner, self).run()

    async def _begin_draft(self) -> None:
        try:
            self._draft.set_result(await self._begin())
        except Exception as error:  # raised where the draft is needed
            self._draft.set_exception(error)

    async def recording_file(self) -> Path:
        """See :class:`tandem.um.menu.driver.MenuApplication`."""
        return (await asyncio.shield(self._draft)).part

    async def perform(
        self, operation: MenuOperation, facts: Mapping[str, FactValue], recorded: Awaitable[Recorded] | None
    ) -> tuple[str, Mapping[str, FactValue]]:
        """See :class:`tandem.um.menu.driver.MenuApplication`."""
        assert operation == KEEP
        draft = await self._draft
        samples = samples_to_keep(await recorded) if recorded is not None else 0
        cut = self._leg.ended.done() and self._leg.ended.result() is Ended.MEDIA
        await self._keep(draft, samples, cut)
        return "message" if samples else "nothing", {}


def samples_to_keep(recorded: Recorded) -> int:
    """How many samples of a recording are the message; 0 if it is none."""
    if recorded.speech_ends_at < MINIMUM_S * _RATE:
        return 0
    return min(recorded.samples, recorded.speech_ends_at + int(TAIL_S * _RATE))
