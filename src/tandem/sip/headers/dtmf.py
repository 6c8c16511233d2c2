"""A DTMF digit in the body of an INFO, as many PBXs and adapters send it instead of telephone events.

No standard describes it. ``application/dtmf-relay`` has lines ``Signal=5`` and ``Duration=160``; ``application/dtmf`` has the
digit alone. Some write 10 for ``*`` and 11 for ``#``.
"""

from tandem.sip.errors import DialogError
from tandem.sip.message.body import content_kind
from tandem.sip.message.message import Request

RELAY, ALONE = "application/dtmf-relay", "application/dtmf"
_SIGNALS = {**{each: each for each in "0123456789*#ABCD"}, "10": "*", "11": "#"}
_MOST = 256  # bytes; real ones have 30


def read_dtmf(request: Request) -> str:
    """The digit of an INFO (``0``-``9``, ``*``, ``#``, ``A``-``D``); empty for one without a body.

    Raises :class:`DialogError` for what is no DTMF: 469 for a package (:rfc:`6086#section-4.2.2`), 415 for another body, 400
    for a signal that is no digit.
    """
    if "Info-Package" in request.headers:
        raise DialogError("no INFO package is spoken here", status=469, headers=(("Recv-Info", ""),))
    if not request.body:
        return ""
    kind = content_kind(request)
    if kind not in (RELAY, ALONE):
        raise DialogError(
            f"an INFO with {kind or 'a body of no type'}", status=415, headers=(("Accept", f"{RELAY}, {ALONE}"),)
        )
    lines = request.body[:_MOST].decode("ascii", "replace").splitlines()
    if kind == RELAY:
        lines = [line.partition("=")[2] for line in lines if line.partition("=")[0].strip().lower() == "signal"]
    digit = _SIGNALS.get(lines[0].strip().upper() if lines else "")
    if digit is None:
        raise DialogError("an INFO whose signal is no DTMF digit", status=400)
    return digit
