"""Phase 11 for pools of kind lync: acceptance tests, the last step of all.

Synthetic tests that Lync Server 2013 and later have (Test-CsExUMConnectivity, Test-CsExUMVoiceMail; both run on a Front End
Server as a trusted server, without a password), Test-CsDialPlan in every version, and calls that people make: the scenarios
S1 to S12 of the project's digest of Enterprise Voice, those that this organization can have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tandem.org import model as m
from tandem.org.patterns import PatternError, compile_pattern
from tandem.org.versions import answers_calls, names_must_match
from tandem.org.vocabulary import PoolType, VoiceFeature
from tandem.process.roles import VOICE_SERVERS
from tandem.process.runbook.lync.contacts import contacts_table
from tandem.process.runbook.lync.links import GUIDELINES
from tandem.process.runbook.lync.side import LyncSide, version_of
from tandem.process.runbook.lync.users import um_users
from tandem.process.runbook.model import RunbookStep, StepTable, Text
from tandem.process.runbook.powershell import quote, rows_of, unless_whatif

CALLS, DIALING = "lync-acceptance.csv", "lync-dialing.csv"
_MINUTES_PER_CALL = 5


def _always(_at: LyncSide) -> bool:
    return True


def _several_servers(at: LyncSide) -> bool:
    """Whether another server answers when one is switched off: 2013's Client Access servers only pass calls on."""
    return any(sum(map(answers_calls, at.org.servers_of(plan))) > 1 for plan in at.org.um_dial_plans)


def _old_names(at: LyncSide) -> bool:
    return _attendants(at) and any(names_must_match(at.org.servers_of(plan)) for plan in at.org.um_dial_plans)


def _attendants(at: LyncSide) -> bool:
    return any(contact.auto_attendant for contact in at.contacts)


def _user_without_um(at: LyncSide) -> bool:
    enabled = {user.account for user, _ in um_users(at)}
    return any(user.account not in enabled for user in at.users)


def _by_location(at: LyncSide) -> bool:
    return VoiceFeature.LOCATION_BASED_ROUTING in at.org.voice_features


@dataclass(frozen=True, slots=True)
class AcceptanceCall:
    """A call that people make, and what has to happen. ``applies`` says whether the organization can have it."""

    id: str
    text: Text
    applies: Callable[[LyncSide], bool] = _always


CALL_LIST = (
    AcceptanceCall("S1", Text(
        "Call a user and let it ring until voice mail answers; leave a message. The message is in the mailbox, the phone shows one message waiting; after it is played, none.",
        "Appelez un utilisateur et laissez sonner jusqu'à la messagerie vocale ; laissez un message. Le message est dans la boîte aux lettres, le téléphone indique un message en attente ; après l'écoute, aucun.",
    )),
    AcceptanceCall("S2", Text(
        "Call voice mail from a Lync client of each pool. It answers: the pool's encryption and the dial plan's security agree.",
        "Appelez la messagerie vocale depuis un client Lync de chaque pool. Elle répond : le chiffrement du pool et la sécurité du plan de numérotation concordent.",
    )),
    AcceptanceCall("S3", Text(
        "Call voice mail of a user of each pool after the restart of the Front-End service. No call fails with ms-diagnostics 15030.",
        "Après le redémarrage du service frontal, appelez la messagerie vocale d'un utilisateur de chaque pool. Aucun appel n'échoue avec ms-diagnostics 15030.",
    )),
    AcceptanceCall("S4", Text(
        "Use Play on Phone from Outlook. The phone rings: exactly one UM IP gateway of the dial plan allows outgoing calls.",
        "Utilisez Émettre sur téléphone depuis Outlook. Le téléphone sonne : une seule passerelle IP de messagerie unifiée du plan de numérotation autorise les appels sortants.",
    )),
    AcceptanceCall("S5", Text(
        "Call the auto attendant and have it transfer you to a user. The user's phone rings: the dial plan's simple name is right.",
        "Appelez le standard automatique et faites-vous transférer vers un utilisateur. Son téléphone sonne : le nom simple du plan de numérotation est correct.",
    ), _old_names),
    AcceptanceCall("S6", Text(
        "Call a user who is not enabled for UM and do not answer. The caller hears that the user cannot be reached; no voice mail answers.",
        "Appelez un utilisateur qui n'est pas activé pour la messagerie unifiée sans répondre. L'appelant apprend que l'utilisateur est injoignable ; aucune messagerie vocale ne répond.",
    ), _user_without_um),
    AcceptanceCall("S7", Text(
        "Dial each number of lync-contacts.csv from a Lync client and from the PSTN. Outlook Voice Access or the auto attendant answers.",
        "Composez chaque numéro de lync-contacts.csv depuis un client Lync et depuis le réseau RTC. Outlook Voice Access ou le standard automatique répond.",
    ), lambda at: bool(at.contacts)),
    AcceptanceCall("S8", Text(
        "Dial a user's extension, an outside number and an emergency test number. Each is normalized as the dial plan says.",
        "Composez le numéro de poste d'un utilisateur, un numéro externe et un numéro d'urgence de test. Chacun est normalisé comme l'indique le plan de numérotation.",
    )),
    AcceptanceCall("S9", Text(
        "Stop the UM service of one server, call voice mail, start it again. The other server answers.",
        "Arrêtez le service de messagerie unifiée d'un serveur, appelez la messagerie vocale, redémarrez-le. L'autre serveur répond.",
    ), _several_servers),
    AcceptanceCall("S10", Text(
        "Call a user and hang up before voice mail answers. The user gets a missed-call message; after a voice message there is none.",
        "Appelez un utilisateur et raccrochez avant que la messagerie vocale réponde. L'utilisateur reçoit une notification d'appel manqué ; après un message vocal, aucune.",
    )),
    AcceptanceCall("S11", Text(
        "Call a user's private line, where there is one, while the user is in Do Not Disturb. It rings; unanswered it goes to voice mail.",
        "Appelez la ligne privée d'un utilisateur, s'il y en a une, pendant qu'il est en mode Ne pas déranger. Elle sonne ; sans réponse, l'appel va à la messagerie vocale.",
    )),
    AcceptanceCall("S12", Text(
        "With location-based routing call from the PSTN a user who is at another site. Voice mail answers, and a missed-call message comes.",
        "Avec le routage géodépendant, appelez depuis le réseau RTC un utilisateur qui se trouve sur un autre site. La messagerie vocale répond et une notification d'appel manqué arrive.",
    ), _by_location),
)  # fmt: skip
"""The digest's S1 to S12, as calls of a finished deployment."""


def acceptance(at: LyncSide) -> RunbookStep:
    """Phase 11: the tests, then the calls with a column for the result."""
    calls = [call for call in CALL_LIST if call.applies(at)]
    dialing = StepTable(DIALING, tuple(_dialing(at)))
    further = (dialing, contacts_table(at))
    tables = [StepTable(CALLS, tuple(map(_call_row, calls))), *(table for table in further if table.rows)]
    checks = [*_connectivity(at), *((_dialing_check(),) if dialing.rows else ())]
    first = Text(
        f"Make the calls below, and write the results into {CALLS} (columns Result, By, Date).",
        f"Effectuez les appels ci-dessous et notez les résultats dans {CALLS} (colonnes Result, By, Date).",
    )
    typed = (first, *(Text(f"{call.id}: {call.text.en}", f"{call.id} : {call.text.fr}") for call in calls))
    title = Text("Acceptance tests", "Tests de réception")
    return at.step(
        11, "acceptance", VOICE_SERVERS, title, links=(GUIDELINES,),
        typed=typed, commands=tuple(_voice_mail(at)), checks=tuple(checks or (_POOLS_ANSWER,)), notes=tuple(_notes(at)),
        no_return=Text("The test messages stay in the mailboxes until their owners delete them.",
                       "Les messages de test restent dans les boîtes aux lettres jusqu'à leur suppression par leurs propriétaires."),
        tables=tuple(tables), minutes=15 + _MINUTES_PER_CALL * len(calls),
    )  # fmt: skip


_POOLS_ANSWER = "if (-not (Get-CsPool)) { throw 'the topology cannot be read' }"


def _call_row(call: AcceptanceCall) -> dict[str, str]:
    return {"Call": call.id, "What": call.text.en, "Quoi": call.text.fr, "Result": "", "By": "", "Date": ""}


def _tested(at: LyncSide) -> Iterator[tuple[m.DeclaredVoicePool, list[m.DeclaredUser]]]:
    """Pools that have the synthetic tests (2013 and later), with their users of UM."""
    for pool in at.pools:
        users = [user for user, _ in um_users(at) if user.pool == pool.fqdn]
        if users and version_of(pool) != "2010" and pool.pool_type is not PoolType.DIRECTOR:
            yield pool, users


def _connectivity(at: LyncSide) -> Iterator[str]:
    for pool, users in _tested(at):
        failed = quote(f"{pool.fqdn} does not reach UM for {users[0].sip_address}: ")
        yield (
            f"$test = Test-CsExUMConnectivity -TargetFqdn {quote(pool.fqdn)} -UserSipAddress {quote(f'sip:{users[0].sip_address}')} -Authentication TrustedServer\n"
            f"if (\"$($test.Result)\" -ne 'Success') {{ throw ({failed} + $test.Error) }}"
        )


def _voice_mail(at: LyncSide) -> Iterator[str]:
    """A real voice message, from another user of the pool."""
    for pool, users in _tested(at):
        receiver = users[0].sip_address
        sender = next((u.sip_address for u in at.users if u.pool == pool.fqdn and u.sip_address != receiver), "")
        if not sender:
            continue
        failed = quote(f"{pool.fqdn}: no voice message was left for {receiver}: ")
        body = (
            f"$test = Test-CsExUMVoiceMail -TargetFqdn {quote(pool.fqdn)} -SenderSipAddress {quote(f'sip:{sender}')} "
            f"-ReceiverSipAddress {quote(f'sip:{receiver}')} -Authentication TrustedServer\n"
            f"if (\"$($test.Result)\" -ne 'Success') {{ throw ({failed} + $test.Error) }}"
        )
        yield unless_whatif(f"leave a voice message for {receiver}", body)


def _dialing(at: LyncSide) -> Iterator[dict[str, str]]:
    """An extension for each declared dial plan, and the number that its rules make of it."""
    extensions = [user.extension for user in at.users if user.extension]
    for plan in at.org.voice_dial_plans:
        made = ((each, _translated(plan, each)) for each in extensions)
        if found := next(((dialed, number) for dialed, number in made if number), None):
            yield {"DialPlan": plan.identity, "Dialed": found[0], "Expected": found[1]}


def _translated(plan: m.DeclaredVoiceDialPlan, dialed: str) -> str:
    """What the first rule that matches makes of a number; empty if none does, or if that cannot be said here.

    Only patterns from ``^`` to ``$`` are the same here and in Lync, which looks anywhere in the number.
    """
    for rule in plan.normalization_rules:
        try:
            pattern = compile_pattern(rule.pattern)
        except PatternError:
            return ""
        if not (rule.pattern.startswith("^") and rule.pattern.endswith("$")) or "|" in rule.pattern:
            return ""
        if (number := pattern.replace_whole(dialed, rule.translation)) is not None:
            return number
    return ""


def _dialing_check() -> str:
    """The names of the result's properties are not documented: its text has to hold the number."""
    return (
        f"foreach ($row in {rows_of(DIALING)}) {{\n"
        "    $plan = Get-CsDialPlan -Identity $row.DialPlan\n"
        "    $text = Test-CsDialPlan -DialedNumber $row.Dialed -Dialplan $plan | Format-List | Out-String\n"
        "    if (-not \"$text\".Contains($row.Expected)) { throw ($row.DialPlan + ': ' + $row.Dialed + ' does not become ' + $row.Expected) }\n}"
    )


def _notes(at: LyncSide) -> Iterator[Text]:
    yield Text(
        "Each test uses two users of the pool, and leaves a real voice message. Run it on a Front End Server.",
        "Chaque test utilise deux utilisateurs du pool et laisse un véritable message vocal. Exécutez-le sur un serveur frontal.",
    )
    for pool in at.pools:
        if version_of(pool) == "2010":
            yield Text(
                f"{pool.fqdn}: Lync Server 2010 has no Test-CsExUMConnectivity; make calls S1 and S2 there.",
                f"{pool.fqdn} : Lync Server 2010 ne dispose pas de Test-CsExUMConnectivity ; effectuez-y les appels S1 et S2.",
            )
