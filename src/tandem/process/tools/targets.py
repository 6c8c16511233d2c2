"""What a contact object points to: our form of otherIpPhone, whose format is not public (docs/adr/0004)."""

from tandem.directory import objects as o


def target_of(address: str, context_name: str, *, attendant: str = "") -> str:
    """Our form of otherIpPhone (docs/adr/0004): Subscriber Access, or an auto attendant by its name."""
    if attendant:
        return f"sip:{address};opaque=app:aa;phone-context={context_name};aa={attendant}"
    return f"sip:{address};opaque=app:sa;phone-context={context_name}"


def read_target(contact: o.Contact) -> tuple[str, str]:
    """The phone context and the auto attendant (empty for Subscriber Access) of a contact."""
    fields = dict(part.partition("=")[::2] for part in contact.target.split(";"))
    return fields.get("phone-context", ""), fields.get("aa", "")
