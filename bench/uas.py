"""The server that bench/sip.py measures: a user agent server of Tandem's parts, on uvloop, on one core.

Each INVITE gets 100, 180 and, from the call room with a real media session, 200; what it then needs is the caller's BYE.
With ``--profile FILE`` it profiles itself. It prints its port, and ends with its standard input.
"""

import argparse
import asyncio
import cProfile
import os
import resource
import sys

import uvloop

from tandem.call.calls import Calls
from tandem.call.negotiation import MediaPolicy
from tandem.core.clock import SystemClock
from tandem.core.garbage import collect_rarely
from tandem.core.ids import SystemIds
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.handlers import Handling
from tandem.sip.aio.resolve import Resolver
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.sdp.offer import Encryption

POLICY = MediaPolicy(host="127.0.0.1", encryption=Encryption.REFUSE)


async def serve(host: str) -> None:
    """Answer calls until standard input ends."""
    endpoint = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=Resolver())
    _, port = await endpoint.listen_udp(host, 0)
    calls = Calls(endpoint, contact=lambda flow: f"<sip:{host}:{port}>")

    def received(transaction: ServerTransaction) -> Handling:
        transaction.respond_with(100)
        transaction.respond_with(180)
        return calls.answer(transaction, POLICY)

    calls.on_request = received
    collect_rarely()  # as tandem serve does
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await endpoint.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--core", type=int)
    parser.add_argument("--profile", default="")
    args = parser.parse_args()
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    profile = cProfile.Profile()
    if args.profile:
        profile.enable()
    uvloop.run(serve(args.host))
    if args.profile:
        profile.dump_stats(args.profile)


if __name__ == "__main__":
    main()
