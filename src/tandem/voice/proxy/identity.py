"""Who calls: what a phone says of itself is taken away, what its account proves is put there (RFC 3325, decision 8).

Who wants privacy (RFC 3323) is told to servers, which keep it to themselves, and not to phones. Left out: a Contact or Call-ID
that gives a caller away is the phone's to choose, since only a back-to-back user agent could replace it.
"""

from tandem.directory import objects as o
from tandem.org.numbers import number_of
from tandem.sip.headers import fields
from tandem.sip.headers.address import parse_name_addr
from tandem.sip.headers.identity import asserted, assertions
from tandem.sip.message.grammar import quoted
from tandem.sip.message.message import Request
from tandem.voice.config import sip_of
from tandem.voice.registrar.authentication import is_anonymous

TRUST_HEADERS = (
    "Diversion",
    "History-Info",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Referred-By",
    "Remote-Party-ID",
    "Identity",
)
"""Headers that only a trusted element may set."""
ANONYMOUS, ANONYMOUS_URI = "Anonymous", "sip:anonymous@anonymous.invalid"
"""RFC 3323 §4.1.1.3."""


def strip_trust(request: Request) -> None:
    """Remove what a phone may not claim, and the credentials that were for us."""
    request.headers.remove(*TRUST_HEADERS, "Proxy-Authorization")


def wants_privacy(request: Request) -> bool:
    """Whether a caller is not to be shown to the one who is called: by Privacy, or by an anonymous From."""
    return asserted(request).private or is_anonymous(fields.from_(request).uri)


def assert_identity(request: Request, caller: o.User) -> None:
    """State who the account is: SIP address with display name, and line; From shows the same, or nobody."""
    hidden = wants_privacy(request)
    for header in assertions(name=shown_name(caller), sip=sip_of(caller), tel=number_of(caller.line_uri)):
        request.headers.add(*header)
    if hidden and not asserted(request).private:
        request.headers.set("Privacy", "id")
    show(request, caller, hidden=hidden)


def show(request: Request, sender: o.User, *, hidden: bool = False) -> None:
    """Show the directory's name of the sender in From, or an anonymous one. The tag stays, and with it the dialog (§12)."""
    from_ = parse_name_addr(request.headers.get("From"))
    name, uri = (ANONYMOUS, ANONYMOUS_URI) if hidden else (shown_name(sender), from_.uri)
    kept = {each: value for each, value in from_.parameters.items() if each == "tag" or not hidden}
    tail = "".join(f";{each}" if value is None else f";{each}={value}" for each, value in kept.items())
    request.headers.set("From", f"{quoted(name)} <{uri}>{tail}")


def shown_name(user: o.User) -> str:
    """The name that others see of a user."""
    return user.display_name or user.account
