"""The groups that the deployment knows: who may do what is decided by membership in them."""

GROUPS = {
    "D": ("Domain Admins", "Enterprise Admins", "Administrators"),
    "X": (
        "Organization Management",
        "Recipient Management",
        "Server Management",
        "UM Management",
        "Exchange Servers",
    ),
    "V": (
        "RTCUniversalServerAdmins",
        "RTCUniversalUserAdmins",
        "RTCHSUniversalServices",
        "RTCComponentUniversalServices",
    ),
}
"""The groups that phase 0 makes, by side: directory, messaging (Exchange 2013's names), voice."""

SERVICE_GROUPS = ("Exchange Servers", "RTCHSUniversalServices", "RTCComponentUniversalServices")
"""Those of them that servers' accounts are in, and no person: they read secrets (SIP secrets, PIN hashes)."""
