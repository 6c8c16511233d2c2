"""What our own requests need: credentials, and answers to challenges."""

from tandem.core.ids import Ids
from tandem.sip.headers import digest
from tandem.sip.machines.retry import Authenticate
from tandem.sip.message.message import Request

Credentials = tuple[str, str]
"""User name and secret."""


def answer_challenge(
    wanted: Authenticate, request: Request, credentials: Credentials | None, ids: Ids
) -> tuple[str, str] | None:
    """The header that answers a challenge; ``None`` without credentials, or where no challenge can be answered."""
    if credentials is None:
        return None
    value = digest.answer(
        wanted.challenges,
        username=credentials[0],
        secret=credentials[1],
        method=request.method,
        uri=request.uri,
        cnonce=ids.token(8),
    )
    return (wanted.header, value) if value else None
