"""Phase 10's further steps: what some features of Enterprise Voice need beside it. The plan names them; people do them."""

from tandem.org.model import Organization
from tandem.org.vocabulary import VoiceFeature
from tandem.process.runbook.model import Language, Text

STEPS = {
    VoiceFeature.MEDIA_BYPASS: Text(
        "media bypass: allow it globally by site and region, and on each trunk",
        "déviation du trafic multimédia : l'autoriser globalement, par site et par région, et sur chaque jonction",
    ),
    VoiceFeature.CALL_ADMISSION_CONTROL: Text(
        "call admission control: regions, sites, subnets, bandwidth policies; then enable it",
        "contrôle d'admission des appels : régions, sites, sous-réseaux, stratégies de bande passante ; puis l'activer",
    ),
    VoiceFeature.E911: Text(
        "E9-1-1: the location database, a location policy, and a route to the emergency service provider",
        "E9-1-1 : base de données d'emplacements, stratégie d'emplacement et itinéraire vers le fournisseur de services d'urgence",
    ),
    VoiceFeature.CALL_PARK: Text(
        "call park: a range of orbits per pool, and voice policies that allow it",
        "parcage d'appel : une plage d'orbites par pool, et des stratégies de voix qui l'autorisent",
    ),
    VoiceFeature.RESPONSE_GROUPS: Text(
        "response groups: agent groups, queues, workflows with a line URI each",
        "groupes Response Group : groupes d'agents, files d'attente, flux de travail avec chacun son URI de ligne",
    ),
    VoiceFeature.ANNOUNCEMENTS: Text(
        "announcements: import the audio, and assign ranges of unassigned numbers",
        "annonces : importer les fichiers audio et affecter les plages de numéros non attribués",
    ),
    VoiceFeature.LOCATION_BASED_ROUTING: Text(
        "location-based routing: regions, sites, subnets; its trunks and voice policies",
        "routage géodépendant : régions, sites, sous-réseaux ; ses jonctions et ses stratégies de voix",
    ),
    VoiceFeature.REMOTE_USERS: Text(
        "remote users: an Edge Server with the A/V Edge service, and its address for UM",
        "utilisateurs distants : un serveur Edge avec le service Edge A/V, et son adresse pour la messagerie unifiée",
    ),
}


def further_steps(org: Organization, language: Language = "en") -> list[str]:
    """A sentence for each declared feature."""
    return [STEPS[feature].of(language) for feature in org.voice_features]
