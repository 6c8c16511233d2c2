"""The answer to a request that cannot be read: as much of it as RFC 3261 §8.2.6.2 copies and can be found is sent back.

The sender is known by its flow, so that nothing of the message has to be believed.
"""

from tandem.sip.errors import IllegalHeader
from tandem.sip.message.message import Headers, Response
from tandem.sip.message.names import header_key
from tandem.sip.message.parse import MAX_HEADER_BYTES, unfold

_COPIED = ("via", "from", "to", "call-id", "cseq")
_MAX_LINES = 64


def answer_to_unreadable(data: bytes, status: int) -> bytes | None:
    """A response to what the parser refused with ``status``; ``None`` if it was no request, or an ACK, or had no Via."""
    head = data.lstrip(b"\r\n")[:MAX_HEADER_BYTES].partition(b"\r\n\r\n")[0]
    first, *lines = unfold(head.decode("utf-8", "surrogateescape").split("\r\n")[:_MAX_LINES])
    if first.startswith(("SIP/", "ACK ")) or " SIP/" not in first:
        return None
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(":")
        name = name.rstrip(" \t")
        if header_key(name) in _COPIED and (header_key(name) == "via" or name not in headers):
            try:
                headers.add(name, value)
            except IllegalHeader:
                return None
    return Response(status=status, headers=headers).to_bytes() if "Via" in headers else None
