"""The rights that are there from the beginning: what Exchange's and Lync's own preparation gives to their groups.

The messaging organization is protected: it inherits nothing, so the voice side sees no UM object until exchucutil
(phase 7) grants it. The groups are named here before they exist; a right of an absent group is nobody's.
"""

from collections.abc import Sequence

from tandem.directory.layout import Layout
from tandem.directory.objects import RUNTIME_ATTRIBUTES
from tandem.directory.port import FULL_CONTROL, Ace, Inherit, Right
from tandem.org.groups import EXCHANGE_2007_GROUPS, GROUPS

_SEE = Right.LIST | Right.READ
EXCHANGE_USER_ATTRIBUTES = frozenset(
    {
        "proxyaddresses",
        "msexchumenabledflags",
        "msexchumtemplatelink",
        "msexchumrecipientdialplanlink",
        "msexchumpinstate",
        "tandemmanagedby",
    }
)
VOICE_USER_ATTRIBUTES = frozenset(
    {
        "proxyaddresses",
        "msrtcsip-primaryuseraddress",
        "msrtcsip-userenabled",
        "msrtcsip-line",
        "msrtcsip-primaryhomeserver",
        "msrtcsip-optionflags",
        "tandemsipsecret",
        "tandemsipunlocks",
        "tandemassigneddialplan",
        "tandemassignedvoicepolicy",
        "tandemmanagedby",
    }
)


def domain_aces(forest: str, pairs: Sequence[Layout]) -> tuple[Ace, ...]:
    """For a forest's root domain, inherited by users, contacts, OUs and groups.

    ``pairs`` are the layouts of all messaging forests with their voice forest. The user objects of the voice forest hold
    the UM settings, so the messaging groups of every pair write there; the voice side has no rights in the others.
    """
    here = Layout(forest=forest, organization="-")
    voice, messaging = _pairs_at(forest, pairs)
    return tuple(
        dict.fromkeys(
            (
                *(
                    Ace(principal=here.group(name), rights=FULL_CONTROL)
                    for name in ("Domain Admins", "Enterprise Admins")
                ),
                # Administrators of servers (phases 2 and 5) are no administrators of the directory.
                Ace(principal=here.group("Administrators"), rights=_SEE),
                *see_aces(forest, pairs),
                *(ace for pair in messaging for ace in _messaging_aces(pair)),
                *(ace for pair in voice[:1] for ace in _voice_side_aces(pair)),
            )
        )
    )


def see_aces(forest: str, pairs: Sequence[Layout]) -> tuple[Ace, ...]:
    """Both teams and their servers see a forest; so do they the containers of services, which in Active Directory inherit
    nothing from the domain."""
    voice, messaging = _pairs_at(forest, pairs)
    seers = [pair.group(name) for pair in messaging for name in GROUPS["X"]]
    seers += [pair.group(name) for pair in voice for name in GROUPS["V"]]
    return tuple(Ace(principal=group, rights=_SEE) for group in dict.fromkeys(seers))


def _pairs_at(forest: str, pairs: Sequence[Layout]) -> tuple[list[Layout], list[Layout]]:
    """The pairs whose voice forest this is, and those whose messaging groups have rights here."""
    voice = [pair for pair in pairs if (pair.voice_forest or pair.forest) == forest]
    return voice, voice or [pair for pair in pairs if pair.forest == forest]


def _messaging_aces(layout: Layout) -> tuple[Ace, ...]:
    writers = ("Organization Management", "Recipient Management", "UM Management", *EXCHANGE_2007_GROUPS)
    return (
        *(
            Ace(
                principal=layout.group(name),
                rights=Right.WRITE,
                attributes=EXCHANGE_USER_ATTRIBUTES,
                object_class="user",
            )
            for name in writers
        ),
        Ace(
            principal=layout.group("Exchange Servers"),
            rights=Right.WRITE | Right.READ_CONFIDENTIAL,
            attributes=RUNTIME_ATTRIBUTES | {"msexchumpinchecksum"},
            object_class="user",
        ),
    )


def contact_aces(layout: Layout) -> tuple[Ace, ...]:
    """The right to make, change and remove contacts, which phase 9 needs on the chosen OU."""
    return (
        Ace(
            principal=layout.group("RTCUniversalUserAdmins"),
            rights=Right.CREATE | Right.DELETE | Right.WRITE,
            object_class="contact",
        ),
    )


def _voice_side_aces(layout: Layout) -> tuple[Ace, ...]:
    return (
        Ace(
            principal=layout.group("RTCUniversalUserAdmins"),
            rights=Right.WRITE,
            attributes=VOICE_USER_ATTRIBUTES,
            object_class="user",
        ),
        *contact_aces(layout),
        Ace(
            principal=layout.group("RTCHSUniversalServices"),
            rights=Right.READ_CONFIDENTIAL,
            attributes=frozenset({"tandemsipsecret"}),
            object_class="user",
        ),
    )


def organizations_aces(layout: Layout, pairs: Sequence[Layout]) -> tuple[Ace, ...]:
    """For the container of messaging organizations: the voice side finds its way through it, wherever it is."""
    way = (Ace(principal=layout.group(name), rights=_SEE, inherit=Inherit.THIS) for name in GROUPS["V"])
    return (*see_aces(layout.forest, pairs), *way)


def exchange_aces(layout: Layout) -> tuple[Ace, ...]:
    """For the messaging organization, which inherits nothing from above."""
    return (
        Ace(principal=layout.group("Enterprise Admins"), rights=FULL_CONTROL),
        Ace(principal=layout.group("Organization Management"), rights=FULL_CONTROL),
        Ace(principal=layout.group("UM Management"), rights=FULL_CONTROL & ~Right.WRITE_ACL),
        *(
            Ace(principal=layout.group(name), rights=_SEE)
            for name in ("Recipient Management", "Server Management", "Exchange Servers", "Domain Admins")
        ),
        Ace(principal=layout.group("Server Management"), rights=Right.WRITE, object_class="msExchExchangeServer"),
        Ace(
            principal=layout.group("Administrators"),
            rights=Right.WRITE,
            attributes=frozenset({"msexchumcertificatethumbprint"}),
            object_class="msExchExchangeServer",
        ),
    )


def voice_aces(layout: Layout) -> tuple[Ace, ...]:
    """For RTC Service and for the container of what Lync keeps outside of Active Directory."""
    return (Ace(principal=layout.group("RTCUniversalServerAdmins"), rights=FULL_CONTROL),)


def exchucutil_aces(layout: Layout) -> tuple[tuple[str, tuple[Ace, ...]], ...]:
    """What phase 7 grants: the two groups list the organization, and list and read the four containers."""
    groups = ("RTCUniversalServerAdmins", "RTCComponentUniversalServices")

    def each(rights: Right, inherit: Inherit) -> tuple[Ace, ...]:
        return tuple(Ace(principal=layout.group(g), rights=rights, inherit=inherit) for g in groups)

    containers = (
        layout.um_dial_plans,
        layout.um_auto_attendants,
        layout.um_ip_gateways,
        layout.administrative_groups,
    )
    return (
        (str(layout.exchange), each(Right.LIST, Inherit.THIS)),
        *((str(container), each(_SEE, Inherit.ALL)) for container in containers),
    )
