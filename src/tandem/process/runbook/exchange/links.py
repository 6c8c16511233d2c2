"""The documentation that the topic's last column names, phase by phase: Exchange's pages by version, and Lync's.

Source: "Deployment process for integrating on-premises Unified Messaging and Lync Server 2013" (Gg425737). Skype for Business
and Exchange 2016 have no pages of their own there; theirs are those of 2013.
"""

from collections.abc import Iterable

from tandem.org.versions import Generation
from tandem.process.runbook.model import DocumentationLink

_BASE = "https://learn.microsoft.com/previous-versions/office/lync-server-2013/lync-server-2013-"
_FWLINK = "https://go.microsoft.com/fwlink/p/?LinkId="
_EXCHANGE = {
    1: ("268694", "268695", "266569"),
    3: ("268632", "268674", "266579"),
    4: ("268696", "268697", "266579"),
    5: ("268681", "268682", "266579"),
    6: ("268698", "268699", "266579"),
    11: ("268700", "268701", "266579"),
}
"""By phase, the LinkId for 2007, 2010 and 2013."""
_GUIDELINES = "guidelines-for-integrating-on-premises-unified-messaging"
_CONFIGURE = "configure-unified-messaging-on-microsoft-exchange"
_LYNC = {
    0: (_GUIDELINES, "deploying-enterprise-voice"),
    2: ("configure-certificates-on-the-server-running-microsoft-exchange-server-unified-messaging",),
    4: (_CONFIGURE,),
    7: (_CONFIGURE,),
}
"""By phase, the pages of the Lync Server 2013 documentation. Phases 8 to 10 are the Lync side's."""
_ABOUT = ("Exchange 2007", "Exchange 2010", "Exchange 2013")
_PLACES = {Generation.E2007: 0, Generation.E2010: 1, Generation.E2010_SP1: 1}


def links(phase: int, versions: Iterable[Generation]) -> tuple[DocumentationLink, ...]:
    """The pages for a phase, Lync's first, then Exchange's for these versions, each said for which product it is."""
    lync = tuple(DocumentationLink("Lync Server 2013", f"{_BASE}{slug}") for slug in _LYNC.get(phase, ()))
    if phase not in _EXCHANGE:
        return lync
    places = sorted({_PLACES.get(version, 2) for version in versions})
    return lync + tuple(DocumentationLink(_ABOUT[place], f"{_FWLINK}{_EXCHANGE[phase][place]}") for place in places)
