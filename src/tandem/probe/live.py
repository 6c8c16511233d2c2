"""A live check: does a server answer, by its right name?"""

import asyncio
import ssl
from dataclasses import dataclass

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.org.vocabulary import Transport
from tandem.sip.aio.endpoint import Endpoint
from tandem.sip.aio.flow import Hop
from tandem.sip.aio.resolve import Resolver
from tandem.sip.message.message import Headers, Request


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
        flow = await endpoint.flow_to(Hop(transport=Transport.TLS, host=host, port=port))
        request = Request(method="OPTIONS", uri=f"sip:{host}:{port};transport=tls", headers=headers)
        async with asyncio.timeout(5):
            response = await (await endpoint.send(request, flow)).final()
    except (OSError, TimeoutError) as error:
        return Outcome(evidence="", wrong=f"{host}:{port}: {error or 'no answer within 5 s'}")
    finally:
        await endpoint.close()
    said = f"TLS as {host}, OPTIONS: {response.status} {response.reason}"
    return Outcome(evidence=said, wrong="" if response.status == 200 else said)
