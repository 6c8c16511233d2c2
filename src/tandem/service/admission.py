"""Admission: what a server answers to a request before it looks at what the request is about (RFC 3261 §8.2, §11, §16.3).

405 and 501 for methods, 420 for extensions, 503 with Retry-After while it takes no calls, and OPTIONS, by which balancers and
gateways watch it: 200, or 503 while it drains, so that they send calls elsewhere.
"""

from collections.abc import Iterable

from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.headers.params import tokens
from tandem.sip.machines import uas

BUSY_S = 30
"""Retry-After for calls that are not taken now, in seconds."""


class Admission:
    """Each method answers the request, if it is one that it is for. ``draining``: no more calls are taken."""

    def __init__(self, able: uas.Abilities) -> None:
        self.draining = False
        self._able = able
        self._allow = ("Allow", ", ".join(able.methods))

    def refuse_unable(self, transaction: ServerTransaction) -> bool:
        """As a user agent server: whether the request was answered, since it cannot be served."""
        if (unable := uas.refusal(transaction.request, self._able)) is None:
            return False
        transaction.respond_with(unable.status, headers=unable.headers)
        return True

    def refuse_proxy_require(self, transaction: ServerTransaction) -> bool:
        """As a proxy: whether the request was answered, since it requires an extension of us (§16.3: we have none)."""
        unknown: Iterable[str] = tokens(transaction.request.headers.all("Proxy-Require"))
        if not unknown:
            return False
        transaction.respond_with(420, headers=(("Unsupported", ", ".join(sorted(unknown))),))
        return True

    def answer_options(self, transaction: ServerTransaction) -> None:
        """Say by 200 or 503 whether to send calls here."""
        if self.draining:
            self.refuse_busy(transaction)
        else:
            transaction.respond_stateless(200, headers=(self._allow,))

    def refuse_method(self, transaction: ServerTransaction) -> None:
        """The method is not one that is served here: 405, or 501 for one that nobody knows."""
        status = 405 if transaction.request.method in uas.METHODS else 501
        transaction.respond_with(status, headers=(self._allow,))

    def refuse_busy(self, transaction: ServerTransaction) -> None:
        """No call can be taken now."""
        transaction.respond_with(503, headers=(("Retry-After", str(BUSY_S)),))
