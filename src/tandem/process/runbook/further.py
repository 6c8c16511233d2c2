"""Phase 10's further steps: what some features of Enterprise Voice need beside it. The plan names them; people do them."""

from tandem.org.model import Organization
from tandem.org.vocabulary import VoiceFeature

STEPS = {
    VoiceFeature.MEDIA_BYPASS: "media bypass: allow it globally by site and region, and on each trunk",
    VoiceFeature.CALL_ADMISSION_CONTROL: "call admission control: regions, sites, subnets, bandwidth policies; then enable it",
    VoiceFeature.E911: "E9-1-1: the location database, a location policy, and a route to the emergency service provider",
    VoiceFeature.CALL_PARK: "call park: a range of orbits per pool, and voice policies that allow it",
    VoiceFeature.RESPONSE_GROUPS: "response groups: agent groups, queues, workflows with a line URI each",
    VoiceFeature.ANNOUNCEMENTS: "announcements: import the audio, and assign ranges of unassigned numbers",
    VoiceFeature.LOCATION_BASED_ROUTING: "location-based routing: regions, sites, subnets; its trunks and voice policies",
    VoiceFeature.REMOTE_USERS: "remote users: an Edge Server with the A/V Edge service, and its address for UM",
}


def further_steps(org: Organization) -> list[str]:
    """A sentence for each declared feature."""
    return [STEPS[feature] for feature in org.voice_features]
