"""Who calls: what a phone says of itself is taken away, what its account proves is put there (RFC 3325, decision 8)."""

from tandem.directory import objects as o
from tandem.sip.headers.identity import assertions
from tandem.sip.message.message import Request
from tandem.voice.config import sip_of

TRUST_HEADERS = (
    "Diversion",
    "History-Info",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Referred-By",
    "Remote-Party-ID",
    "Identity",
)
"""Headers that only a trusted element may set."""


def strip_trust(request: Request) -> None:
    """Remove what a phone may not claim, and the credentials that were for us."""
    request.headers.remove(*TRUST_HEADERS, "Proxy-Authorization")


def assert_identity(request: Request, caller: o.User) -> None:
    """State who the account is: SIP address with display name, and line."""
    line = caller.line_uri.partition(";")[0].removeprefix("tel:")
    for header in assertions(name=caller.display_name or caller.account, sip=sip_of(caller), tel=line):
        request.headers.add(*header)
