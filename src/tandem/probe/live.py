"""Live checks: does a server answer, by its right name, and does a call reach a mailbox's greeting?"""

import asyncio
import ssl
from dataclasses import dataclass

from tandem.call.errors import CallFailed
from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.probe.errors import PhoneError
from tandem.probe.phone import Account, Phone
from tandem.sip.aio.endpoint import Endpoint, Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.message import Headers, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen; ``wrong`` is empty where all is well."""

    evidence: str
    wrong: str = ""


async def ask_options(context: ssl.SSLContext, host: str, port: int, resolver: Resolver) -> Outcome:
    """Connect by TLS, check the name, send OPTIONS, expect 200."""
    endpoint = Endpoint(clock=SystemClock(), ids=SystemIds(), resolver=resolver, client_context=context)
    headers = Headers(
        [
            ("Max-Forwards", "70"),
            ("From", f"<sip:verify@{host}>;tag={endpoint.ids.token(8)}"),
            ("To", f"<sip:{host}>"),
            ("Call-ID", endpoint.ids.token(12)),
            ("CSeq", "1 OPTIONS"),
        ]
    )
    try:
        flow = await endpoint.flow_to(Hop(transport="tls", host=host, port=port))
        request = Request(method="OPTIONS", uri=f"sip:{host}:{port};transport=tls", headers=headers)
        async with asyncio.timeout(5):
            response = await (await endpoint.send(request, flow)).final()
    except (OSError, TimeoutError) as error:
        return Outcome(evidence="", wrong=f"{host}:{port}: {error or 'no answer within 5 s'}")
    finally:
        await endpoint.close()
    said = f"TLS as {host}, OPTIONS: {response.status} {response.reason}"
    return Outcome(evidence=said, wrong="" if response.status == 200 else said)


async def call_voice_mail(caller: Account, called: str, context: ssl.SSLContext, resolver: Resolver) -> Outcome:
    """Register as one user and call another; UM has to answer and give its tone. Hangs up before anything is recorded."""
    phone = Phone(caller, context, resolver=resolver)
    try:
        await phone.register()
        call = await phone.call(called)
        await call.wait_for_tone(timeout_s=30)
        media = "SRTP" if call.leg.secure else "RTP"
        return Outcome(evidence=f"{caller.address} called {called}: answered, greeting and tone heard over {media}")
    except (PhoneError, CallFailed, OSError) as error:
        return Outcome(evidence="", wrong=f"{caller.address} called {called}: {error}")
    finally:
        await phone.close()
