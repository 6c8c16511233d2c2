"""The server transactions of an endpoint, and how many of them each kind of peer may have open.

Who has proved a name or a secret may fill the table. Addresses of UDP can be forged, those of gateways too: they leave a
quarter to the others. Strangers leave half, and one source of theirs (:func:`network_of`) fifteen sixteenths.
"""

from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto

from tandem.sip.aio.transactions import Answering, Key
from tandem.sip.machines.limits import network_of

MAX_TRANSACTIONS = 65_536
"""Open server transactions; 1,000 calls a second by UDP, which linger for 32 s, come to as many."""


class Standing(Enum):
    """What is known of who sent a request."""

    PROVED = auto()
    """A certificate or a secret, or by its address on a connection: a gateway."""
    CLAIMED = auto()
    """The address of a gateway, by UDP."""
    STRANGER = auto()


class ServerTransactions:
    """By what requests are matched by (RFC 3261 §17.2.3). ``most`` of them are open at once."""

    def __init__(self, most: int = MAX_TRANSACTIONS) -> None:
        self.most = most
        self._open: dict[Key, Answering] = {}
        self._strangers: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Answering]:
        return iter(list(self._open.values()))

    def get(self, key: Key) -> Answering | None:
        """The transaction that a request belongs to, if it is not new."""
        return self._open.get(key)

    def has_room(self, standing: Standing, source: str) -> bool:
        """Whether one more may be opened."""
        match standing:
            case Standing.PROVED:
                return len(self) < self.most
            case Standing.CLAIMED:
                return len(self) < self.most * 3 // 4
            case Standing.STRANGER:
                return len(self) < self.most // 2 and self._strangers[network_of(source)] < self.most // 16

    def add(self, answering: Answering, standing: Standing) -> None:
        """A request came that is new."""
        self._open[answering.key] = answering
        if standing is Standing.STRANGER:
            answering.stranger = network_of(answering.flow.remote[0])
            self._strangers[answering.stranger] += 1

    def forget(self, key: Key) -> None:
        """A transaction is over."""
        answering = self._open.pop(key, None)
        if answering is not None and (stranger := answering.stranger):
            self._strangers[stranger] -= 1
            if not self._strangers[stranger]:
                del self._strangers[stranger]
