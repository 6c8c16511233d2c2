"""Numbers and addresses: E.164, line URIs, extensions, EUM proxy addresses, phone contexts.

Numbers are compared as numbers (:rfc:`3966#section-4`), by :func:`number_of`, :func:`user_key` and :func:`line_key`: visual
separators and case do not count, and neither do parameters, except a line's extension. A number with ``+`` and one without
are two numbers; what a local number means is a dial plan's matter.
"""

import re
from dataclasses import dataclass

_E164 = re.compile(r"\+[1-9][0-9]{1,14}\Z")
_NUMBER = re.compile(r"\+?[.()\- ]*[0-9*#][0-9*#.()\- ]*\Z")
_SEPARATORS = str.maketrans("", "", ".()- ")
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


def number_of(text: str) -> str:
    """The digits of a number, with its ``+``; empty for what is none, such as ``alice``.

    ``text`` is a ``tel:`` URI, the user part of a SIP URI, or a number as people write it: ``tel:+1-425-555-4101;ext=2``
    is ``+14255554101``, ``5000;phone-context=x`` is ``5000``.
    """
    body = _without_scheme(text).partition(";")[0]
    return body.translate(_SEPARATORS) if _NUMBER.match(body) else ""


def user_key(user_part: str) -> str:
    """What is equal for user parts (or numbers) that mean the same: a number's digits, or a name in lower case."""
    return number_of(user_part) or user_part.partition(";")[0].lower()


def line_key(line: str) -> str:
    """What is equal for lines that are the same: ``tel:``, the number, and its extension (``;ext=``); empty for no line."""
    number, *parameters = _without_scheme(line).lower().split(";")
    extension = next((each for each in parameters if each.startswith("ext=")), "")
    return line and f"tel:{user_key(number)}{f';ext={number_of(extension[4:])}' if extension else ''}"


def _without_scheme(text: str) -> str:
    return text[4:] if text[:4].lower() == "tel:" else text


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
        """What has to be unique: the number's digits or the name in lower case, and the dial plan."""
        return user_key(self.address), self.phone_context.lower()
