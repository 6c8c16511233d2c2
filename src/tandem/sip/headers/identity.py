"""Who calls, as an element that was trusted says it: P-Asserted-Identity (RFC 3325), with Privacy (RFC 3323).

At most one SIP and one telephone address (§9.1); further ones, and values that cannot be read, are passed over. Whether the
sender may say this at all is for the caller to know.
"""

from dataclasses import dataclass

from tandem.sip.headers.address import SipAddress
from tandem.sip.headers.lenient import readable_addresses
from tandem.sip.headers.params import tokens
from tandem.sip.message.grammar import quoted
from tandem.sip.message.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Asserted:
    """The addresses of one who calls; ``private``: they are not to be shown to the one who is called."""

    sip: SipAddress | None = None
    tel: SipAddress | None = None
    private: bool = False

    @property
    def shown(self) -> "Asserted":
        """What of it the one who is called may see."""
        return Asserted(private=True) if self.private else self


def asserted(message: Message) -> Asserted:
    """What a message says of its sender."""
    found = readable_addresses(message.headers.all("P-Asserted-Identity"))
    return Asserted(
        sip=next((each for each in found if each.uri.scheme in ("sip", "sips")), None),
        tel=next((each for each in found if each.uri.scheme == "tel"), None),
        private=bool(_privacy(message) & {"id", "user"}),
    )


def assertions(*, name: str, sip: str, tel: str = "") -> list[tuple[str, str]]:
    """The headers that say who somebody is: a SIP address without its scheme, and a number as ``+...``, if there is one."""
    values = [f"{quoted(name)} <sip:{sip}>", *([f"<tel:{tel}>"] if tel else [])]
    return [("P-Asserted-Identity", value) for value in values]


def _privacy(message: Message) -> frozenset[str]:
    return tokens(value.replace(";", ",") for value in message.headers.all("Privacy"))
