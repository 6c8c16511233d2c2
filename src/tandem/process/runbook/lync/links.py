"""Lync Server's own pages that the topic names, by phase.

The topic (Gg425737, 2012-12-17) links them by these names; the library's public copies have the same files. Phase 0 has
the guidelines that its introduction asks to read first. Phases 1, 3, 5, 6 and 11 name pages of Exchange only.
"""

from tandem.process.runbook.model import DocumentationLink

_BASE = "https://learn.microsoft.com/previous-versions/office/lync-server-2013/lync-server-2013-"
_ABOUT = "Lync Server 2013"


def _link(slug: str) -> DocumentationLink:
    return DocumentationLink(_ABOUT, _BASE + slug)


GUIDELINES = _link("guidelines-for-integrating-on-premises-unified-messaging")
DEPLOYING_ENTERPRISE_VOICE = _link("deploying-enterprise-voice")
_UM_ON_EXCHANGE = _link("configure-unified-messaging-on-microsoft-exchange")
LINKS: dict[int, tuple[DocumentationLink, ...]] = {
    0: (GUIDELINES, DEPLOYING_ENTERPRISE_VOICE),
    2: (_link("configure-certificates-on-the-server-running-microsoft-exchange-server-unified-messaging"),),
    4: (_UM_ON_EXCHANGE,),
    7: (_UM_ON_EXCHANGE,),
    8: (_link("configuring-dial-plans"),),
    9: (_link("configure-lync-server-2013-to-work-with-unified-messaging-on-microsoft-exchange-server"),),
    10: (
        _link("configuring-voice-policies-pstn-usage-records-and-voice-routes"),
        DEPLOYING_ENTERPRISE_VOICE,
    ),
}
