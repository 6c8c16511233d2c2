"""The French catalogue: every message by its English template, and the product words that stay as they are.

The French is that of Microsoft's French documentation of Exchange and Lync Server. There is a space before ``:``, ``;``, ``?``
and ``!``; pages make it one at which no line ends.
"""

from functools import cache

from tandem.cli.french.certificates import CERTIFICATES
from tandem.cli.french.commands import COMMANDS
from tandem.cli.french.file import FILE
from tandem.cli.french.kinds import KINDS
from tandem.cli.french.observing import OBSERVING
from tandem.cli.french.organization import ORGANIZATION
from tandem.cli.french.refusals import REFUSALS
from tandem.cli.french.results import RESULTS
from tandem.cli.french.tasks import TASKS
from tandem.cli.french.translator import Translator, Wording
from tandem.cli.french.verify import VERIFY
from tandem.cli.french.words import WORDS

ROOMS = (WORDS, TASKS, VERIFY, OBSERVING, RESULTS, REFUSALS, CERTIFICATES, COMMANDS, ORGANIZATION, FILE)
PRODUCTS = frozenset(
    {
        "Administrators",
        "Domain Admins",
        "Enterprise Admins",
        "Schema Admins",
        "Exchange Organization Administrators",
        "Exchange Recipient Administrators",
        "Exchange Server Administrator",
        "Exchange Servers",
        "Organization Management",
        "Recipient Management",
        "Server Management",
        "UM Management",
        "Exchange 2019",
        "Exchange {}",
        "Exchange {} SP{}",
        "Lync Server 2013",
        "Service Pack 3",
        "Exchange 2007 SP{}",
        "Tandem UM",
        "Tandem UM 15",
        "{} Default Policy",
        "UM DialPlan Container",
        "UM AutoAttendant Container",
        "UM IPGateway Container",
    }
)
"""Product words of several words, which French documentation leaves in English: groups, versions, names by default."""
DETAILS = (
    "managed from now on",
    "password (sensitive)",
    "(sensitive)",
    "taken back",
    "at {}",
    "warning: has the {} of {}, who is gone from the file; if it is the same person, say 'was: {}' to keep mailbox, PIN and "
    "SIP secret",
    "certificate of phase 2 enabled for UM",
    "no certificate enabled for UM",
    "Subscriber Access",
    "{} trusts {}",
    "none of an authority with subject CN={}",
    "none is assigned for Default",
    "to be enabled for {}",
    "subject {} -> CN={}",
    "subject alternative name lacks {}",
    "ended {}",
    "without an end",
    "no normalization rule, for {}",
    *CERTIFICATES,
)
"""Details of changes that are messages. Others are fields with their values (``uri_type SipName``), and stay."""


@cache
def translator() -> Translator:
    """The translator to French."""
    messages = {english: french for room in ROOMS for english, french in room.items()}
    return Translator(Wording(messages=messages, kinds=KINDS, details=DETAILS, products=PRODUCTS))
