"""Numbers and addresses: E.164, line URIs, extensions, EUM proxy addresses, phone contexts."""

import re
from dataclasses import dataclass

_E164 = re.compile(r"\+[1-9][0-9]{1,14}\Z")
_LINE_URI = re.compile(r"tel:\+[1-9][0-9]{1,14}(;ext=[1-9][0-9]{0,14})?\Z", re.IGNORECASE)
_SIP_ADDRESS = re.compile(
    r"[A-Za-z0-9_.!~*'&=+$%-]{1,64}@([A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}\Z"
)


def is_e164(text: str) -> bool:
    """``+`` and up to 15 digits, the first not 0 (ITU-T E.164)."""
    return bool(_E164.match(text))


def is_line_uri(text: str) -> bool:
    """``tel:`` and an E.164 number, with an extension or not."""
    return bool(_LINE_URI.match(text))


def is_sip_address(text: str) -> bool:
    """``user@domain``, without ``sip:``."""
    return bool(_SIP_ADDRESS.match(text))


def phone_context(dial_plan: str, forest: str) -> str:
    """The identity of a UM dial plan: its name and its forest (docs/adr/0004)."""
    return f"{dial_plan}.{forest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EumAddress:
    """An EUM proxy address: extension, SIP address or E.164 number within a UM dial plan."""

    address: str
    phone_context: str
    primary: bool = True

    def __str__(self) -> str:
        prefix = "EUM" if self.primary else "eum"
        return f"{prefix}:{self.address};phone-context={self.phone_context}"

    @classmethod
    def parse(cls, text: str) -> "EumAddress | None":
        """Read a proxy address; ``None`` if it is of another kind or cannot be read."""
        prefix, _, rest = text.partition(":")
        address, _, context = rest.partition(";phone-context=")
        if prefix.lower() != "eum" or not address or not context:
            return None
        return cls(address=address, phone_context=context, primary=prefix == "EUM")

    @property
    def key(self) -> tuple[str, str]:
        """What has to be unique, in lower case."""
        return self.address.lower(), self.phone_context.lower()
