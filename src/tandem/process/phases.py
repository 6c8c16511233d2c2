"""The twelve phases: what each is, whose it is, what it needs (the topic's order, and ours for phase 0).

Who may carry out their tasks is in :mod:`tandem.process.roles`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """The team that a task belongs to."""

    DIRECTORY = "directory administrators"
    MESSAGING = "messaging administrators"
    VOICE = "voice administrators"


TEAMS = {"directory": Side.DIRECTORY, "exchange": Side.MESSAGING, "voice": Side.VOICE}
TEAM_WORDS = TEAMS | {"messaging": Side.MESSAGING}
"""The teams, as options name them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase. ``needs`` are the numbers of the phases that come before it, ``note`` what else is to be known of it."""

    number: int
    id: str
    title: str
    needs: tuple[int, ...] = ()
    note: str = ""


PHASES = (
    Phase(number=0, id="preconditions", title="What the deployment assumes"),
    Phase(number=1, id="servers", title="Deploy the messaging servers", needs=(0,)),
    Phase(number=2, id="certificates", title="Install certificates (mutual TLS)", needs=(1,)),
    Phase(number=3, id="um-dial-plans", title="Create and configure the UM dial plans", needs=(1,)),
    Phase(number=4, id="dial-plan-security", title="Set the dial plans' VoIP security", needs=(3,)),
    Phase(number=5, id="dial-plan-servers", title="Add the UM servers to the dial plans", needs=(1, 2, 3)),
    Phase(
        number=6,
        id="sip-addresses",
        title="Give mailboxes their SIP addresses",
        needs=(3,),
        note="Users get their SIP addresses in phase 0; this phase corrects them and adds EUM addresses.",
    ),
    Phase(number=7, id="exchucutil", title="Permissions, gateways and hunt groups (exchucutil)", needs=(3, 4)),
    Phase(number=8, id="voice-dial-plans", title="Configure the voice dial plans", needs=(3,)),
    Phase(number=9, id="ocsumutil", title="Contact objects (ocsumutil)", needs=(3, 7, 8)),
    Phase(number=10, id="enterprise-voice", title="Remaining Enterprise Voice configuration", needs=(8,)),
    Phase(number=11, id="um-users", title="Enable the Enterprise Voice users for UM", needs=(3, 6, 10)),
)


def find_phase(text: str) -> Phase | None:
    """A phase by its id or number."""
    return next((p for p in PHASES if text in (p.id, str(p.number))), None)
