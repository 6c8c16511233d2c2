"""The server that bench/media.py measures: Tandem's call room, media engine and spool, without directory and menus.

Each call is answered, hears the prompt, and is recorded until it hangs up; its message then waits in the spool. With
``--bridge`` every two calls are bridged instead. Parent process
and worker run on one core. It prints a line of JSON when it is ready and one at the end, and ends with its standard input.
"""

import argparse
import asyncio
import gc
import json
import math
import os
import resource
import sys
from array import array
from pathlib import Path

import uvloop

from tandem.call.calls import Calls
from tandem.call.leg import CallLeg
from tandem.call.negotiation import MediaPolicy
from tandem.core.clock import SystemClock
from tandem.core.counters import families
from tandem.core.ids import SystemIds
from tandem.mail.envelope import Envelope
from tandem.mail.spool import Spool
from tandem.media.engine.engine import MediaEngine
from tandem.media.session import Sound
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers import fields
from tandem.sip.sdp.offer import Encryption

PROMPT_S = 10


def prompt() -> list[Sound]:
    """Ten seconds in ten sounds, as a greeting has them."""
    tone = array("h", (int(8000 * math.sin(i * 0.3)) for i in range(8000)))
    return [Sound.of(array("h", [s * (n + 1) // 10 for s in tone]).tobytes()) for n in range(PROMPT_S)]


class Server:
    """Answers, plays, records, keeps."""

    def __init__(self, folder: Path, secure: bool, bridge: bool) -> None:
        self.engine = MediaEngine(workers=1)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._spool = Spool(folder)
        self._policy = MediaPolicy(host="127.0.0.1", encryption=Encryption.REQUIRE if secure else Encryption.REFUSE)
        self._prompt = prompt()
        self._bridge = bridge
        self._alone: CallLeg | None = None
        self.kept = 0

    async def serve(self) -> None:
        """Until standard input ends."""
        loop = asyncio.get_running_loop()
        endpoint = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())
        _, port = await endpoint.listen_udp("127.0.0.1", 0)
        await self.engine.start()
        self._spool.start()
        self._calls = Calls(endpoint, contact=lambda flow: f"<sip:um@127.0.0.1:{port}>", media=self.engine)
        self._calls.on_request = self._received
        print(json.dumps({"port": port, "parent": os.getpid(), "worker": self.engine.workers[0].pid}), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        await endpoint.handlers.idle()
        await self.engine.close()
        self._spool.stop()
        await endpoint.close()
        media = {
            "/".join((family.name, *labels)): getattr(member, "value", None)
            for family in families()
            if family.name.startswith("tandem_media")
            for labels, member in family.members.items()
        }
        print(json.dumps({"kept": self.kept, "media": media}), flush=True)

    def _received(self, transaction: ServerTransaction) -> Handling:
        if transaction.request.method != "INVITE":
            transaction.respond_with(405)
            return None
        return self._join(transaction) if self._bridge else self._answer(transaction)

    async def _join(self, transaction: ServerTransaction) -> None:
        leg = await self._calls.answer(transaction, self._policy)
        other, self._alone = self._alone, None if self._alone else leg
        if other is not None:
            await leg.media.bridge(other.media)
        await leg.ended
        self.kept += 1

    async def _answer(self, transaction: ServerTransaction) -> None:
        call_id = fields.call_id(transaction.request)
        index = call_id.partition("-")[0]
        envelope = Envelope(
            message_id=f"voice-{index}", mailbox="a@example.com", recipient_name="A", call_id=call_id, begun_at=""
        )
        draft = await asyncio.to_thread(self._spool.begin, envelope)
        leg = await self._calls.answer(transaction, self._policy)
        recording = leg.media.record(draft.part, idle_s=3600)
        leg.play(*self._prompt)
        await leg.ended
        recorded = await recording.done
        await asyncio.to_thread(draft.close, samples=recorded.samples, ended_at="")
        self.kept += 1


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--srtp", action="store_true")
    parser.add_argument("--bridge", action="store_true")
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.core})
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.freeze()

    async def run() -> None:
        await Server(args.folder, args.srtp, args.bridge).serve()

    uvloop.run(run())


if __name__ == "__main__":
    main()
