"""The rights that stand from the beginning: what Exchange's and Lync's own preparation gives to their groups.

The messaging organization is protected: it inherits nothing, so the voice side sees no UM object until exchucutil
(phase 7) grants it. The groups are named here before they exist; a right of an absent group is nobody's.
"""

from tandem.directory.layout import Layout
from tandem.directory.objects import RUNTIME_ATTRIBUTES
from tandem.directory.port import FULL_CONTROL, Ace, Inherit, Right
from tandem.org.groups import GROUPS

_SEE = Right.LIST | Right.READ
EXCHANGE_USER_ATTRIBUTES = frozenset(
    {
        "proxyaddresses",
        "msexchumenabledflags",
        "msexchumtemplatelink",
        "msexchumrecipientdialplanlink",
        "msexchumpinstate",
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
        "tandemvoicedialplan",
        "tandemvoicepolicy",
        "tandemmanagedby",
    }
)


def domain_aces(layout: Layout) -> tuple[Ace, ...]:
    """For the root domain, inherited by users, contacts, OUs and groups."""
    everybody = [name for names in GROUPS.values() for name in names]
    return (
        *(Ace(principal=layout.group(name), rights=FULL_CONTROL) for name in GROUPS["D"]),
        *(Ace(principal=layout.group(name), rights=_SEE) for name in everybody),
        *(
            Ace(
                principal=layout.group(name),
                rights=Right.WRITE,
                attributes=EXCHANGE_USER_ATTRIBUTES,
                object_class="user",
            )
            for name in ("Organization Management", "Recipient Management", "UM Management")
        ),
        Ace(
            principal=layout.group("Exchange Servers"),
            rights=Right.WRITE | Right.READ_CONFIDENTIAL,
            attributes=RUNTIME_ATTRIBUTES | {"msexchumpinchecksum"},
            object_class="user",
        ),
        Ace(
            principal=layout.group("RTCUniversalUserAdmins"),
            rights=Right.WRITE,
            attributes=VOICE_USER_ATTRIBUTES,
            object_class="user",
        ),
        Ace(
            principal=layout.group("RTCUniversalUserAdmins"),
            rights=Right.CREATE | Right.DELETE | Right.WRITE,
            object_class="contact",
        ),
        Ace(
            principal=layout.group("RTCHSUniversalServices"),
            rights=Right.READ_CONFIDENTIAL,
            attributes=frozenset({"tandemsipsecret"}),
            object_class="user",
        ),
    )


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
