"""Address fields of which what cannot be read is passed over: Diversion, History-Info, identities, contacts to try."""

from collections.abc import Iterable

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers import fields
from tandem.sip.headers.address import NameAddr, SipAddress, parse_name_addr


def readable(values: Iterable[str]) -> list[NameAddr]:
    """Those of a field's values that are addresses; others are passed over."""
    found = []
    for value in values:
        try:
            parts = fields.split_list(value)
        except MalformedMessage:
            continue
        for part in parts:
            try:
                found.append(parse_name_addr(part))
            except MalformedMessage:
                continue
    return found


def readable_addresses(values: Iterable[str]) -> list[SipAddress]:
    """Those whose URI is one that we speak, too."""
    found = []
    for text in readable(values):
        try:
            found.append(text.address)
        except MalformedMessage:
            continue
    return found
