"""French: every message has its sentence, and a plan, a check and a refusal are French as people see them."""

import json
import re
import time
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import deployment
import observed
from process.messages import SLOT, Module, is_message
from process.test_process_observe import TWO_FORESTS
from tandem.cli.french.catalogue import DETAILS, PRODUCTS, ROOMS, translator
from tandem.cli.french.kinds import KINDS
from tandem.cli.french.translator import Translator, Wording
from tandem.cli.main import tandem as command
from tandem.cli.said import Speech, language_of
from tandem.core.clock import SystemClock
from tandem.org.errors import ConfigError, Finding, Severity
from tandem.org.load import require_organization
from tandem.process.errors import ProcessError
from tandem.process.observing.format import SECTIONS
from tandem.process.runbook.steps import runbook_steps

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tandem"
SCOPE = (
    *("process/agreement.py", "process/apply.py", "process/bootstrap.py", "process/drift.py", "process/guard.py"),
    *("process/holders.py", "process/journal.py", "process/passwords.py", "process/phases.py", "process/plan.py"),
    *("process/roles.py", "process/saved.py", "process/task.py", "process/tasks/*.py", "process/verify/*.py"),
    *("process/tools/contacts.py", "process/tools/exchucutil.py", "process/tools/oupermission.py"),
    *("process/runbook/further.py", "pki/examine.py", "pki/store.py", "admin/opening.py", "admin/deploy/*.py"),
    *("org/checks.py", "org/errors.py", "org/findings.py", "org/groups.py", "org/load.py", "org/model.py"),
    *("org/patterns.py", "org/rules.py", "org/topology.py", "org/users_csv.py", "org/versions.py", "org/yamltext.py"),
    *("cli/common.py", "cli/show.py", "cli/deploy/agree.py", "cli/deploy/apply.py", "cli/deploy/drift.py"),
    *("cli/deploy/page.py", "cli/deploy/plan.py", "cli/deploy/validate.py", "cli/deploy/verify.py"),
    *("process/observing/*.py", "process/observing/judges/*.py", "process/runbook/evidence.py"),
    *("org/coexistence/*.py", "cli/deploy/observe.py", "cli/deploy/runbook.py"),
)
"""Modules whose messages are all French; docs/adr/0034-french.md says what is not here."""
STAYS = {
    # French already: what a French Windows calls its groups.
    *("Admins du domaine", "Administrateurs de l'entreprise", "Administrateurs du schéma"),
    # Wrong usage of the command line: click's own words around it are English.
    "there is no phase {}; there are {} (0 to 11)",
    "{}: name one of them",
    "Only this phase (id or number).",
    "What to tell the other team when this phase (id or number) is done.",
    "--format ps1 writes several files: name a folder with --out",
    "--out {}: expected a folder, found a file",
    "name the steps that were carried out, or give their results with --evidence",
    "--destroy cannot be saved with --out: 'tandem destroy FILE' carries it out",
    # Kept for programs and as evidence, or an argument of a command.
    "{} change(s)",
    "--also {}",
    "{} of {}, shell {}",
    "by {} on {}",
    "from {} to {}",
    # Keys and fields of the organization file, with their values.
    "sip_address",
    "trusts: [{}]",
    "dial_plans {}",
    "outcalls_allowed True",
    "{} {} of {} ({})",
    "{} of {}",
    "UTF-16",
    # Fields of what was observed, with their values, and a name.
    "um_mailbox_policy {}",
    "extension {}",
    "roles {}",
    "pool_type {}",
    "servers {}",
    "media_encryption of its Mediation Server",
    "sip_address sip:{}",
    "home_pool {}",
    "enterprise_voice False -> True",
    "{} -> Running",
    "long distance",
    "{} (SP{} > SP{})",
    # What names of checks begin with: by it a check is found, and nothing is said.
    *("Roles of", "Startup mode of", "Certificate for UM on", "URI type of", "Security of", "Every UM server in"),
    *(
        "UM servers of",
        "Gateway of",
        "Hunt groups of",
        "Auto attendant",
        "Subscriber access of",
        "Contact of",
        "Name of",
    ),
    # Nobody sees it: another message stands for it, or it is a part of one that is translated as a whole.
    "of another subject",
    "{} is no JSON",
    "a name is there twice",
    "0: it has cumulative updates only",
    # French where it is made.
    ", ou",
    # A name and a time, in the hand-over of the runbook.
    # Put together from a finding's fields, each of which is a message: Speech.finding.
    "{}: {}: {}: {}; expected {}",
    "{}: {}: {}; expected {}",
    # What 'tandem exchucutil' and the output of programs show.
    "List, Read",
    "(not found)",
    "... {} lines more ...",
    "a new revocation list",
    # The end of evidence that begins with changes: translated with them.
    "and {} more",
}
"""Strings of these modules that stay English, and why."""
SECTIONS_UNREAD = {f"{section}: {SLOT}" for side in SECTIONS.values() for section in side}
"""Why a section of an observation was not read: PowerShell's words, or a message of its own."""
_REGULAR_EXPRESSION = re.compile(r".*\]\{\d.*|.*\)\+.*")
_MARKUP = re.compile(r"<style>.*?</style>|<[^>]*>|&#?\w+;|\[/?[a-z ]*\]|\[\{\}\]", re.DOTALL)


def scope() -> list[Path]:
    return [path for pattern in SCOPE for path in sorted(SOURCE.glob(pattern)) if path.name != "__init__.py"]


def pieces(template: str, path: Path) -> list[str]:
    """The messages in a string as they are translated: by line, and in commands by style or HTML tag."""
    lines = template.split("\n")
    if "cli" in path.parts:
        lines = [piece for line in lines for piece in _MARKUP.split(line)]
    return [line.strip() for line in lines]


def made() -> tuple[dict[str, str], set[str]]:
    """Every message of the scope with a module that makes it; and every string of the scope."""
    messages: dict[str, str] = {}
    strings: set[str] = set()
    for path in scope():
        module = Module(path.read_text())
        strings |= module.constants()
        for template, told in module.said():
            for piece in pieces(template, path):
                strings.add(piece)
                if is_message(piece, told) and "{ " not in template.replace(SLOT, ""):
                    messages.setdefault(piece, str(path.relative_to(SOURCE)))
    return messages, strings


def entries() -> dict[str, str]:
    return {english: french for room in ROOMS for english, french in room.items()}


@pytest.mark.slow
def test_every_message_has_its_french() -> None:
    messages, _ = made()
    assert len(messages) > 450
    known = entries().keys() | KINDS.keys() | PRODUCTS | STAYS | SECTIONS_UNREAD
    lacking = {
        text: path for text, path in messages.items() if text not in known and not _REGULAR_EXPRESSION.match(text)
    }
    assert lacking == {}


@pytest.mark.slow
def test_every_entry_translates_a_message_that_some_code_makes() -> None:
    _, strings = made()
    assert (entries().keys() | KINDS.keys() | STAYS) - strings == set()


def test_a_message_is_translated_in_one_place() -> None:
    assert sum(map(len, ROOMS)) == len(entries())
    assert set(DETAILS) <= entries().keys()


def test_no_value_is_lost_in_french() -> None:
    wrong = {
        english: french
        for english, french in entries().items()
        if len(re.findall(r"\{[~k]?\}", french)) != english.count(SLOT)
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "mistake",
    [
        r"[^\s](?<![:;?!\d])[;?!]",  # a sign without a space before it
        r"[a-zéà»)}]: (?!\{?\d)(?!true|FrontEnd)",
        r"«[^ ]|[^ ]»",  # quotes without the space within
        r"\b(?:[Tt]he|is|are|was|[Nn]ot|of|with|and|which|servers?|users?|dial plan|mailbox|Front End)\b",
        r"(?i)\b(?:etre|deja|numero de poste a|cree|modifie|supprime|echec|a partir|foret|unifiee|activee)\b",  # accents
    ],
)
def test_french_is_written_as_french(mistake: str) -> None:
    said = {**entries(), **KINDS}.items()
    found = {french for english, french in said if re.search(mistake, _without_keys(french))}
    assert found == set()


def _without_keys(french: str) -> str:
    """French without what is typed as it stands: keys of the file, commands, patterns."""
    keys = r"\S*_\w+(?::)?|\w+: (?=\[|true|l[ea] |\{)|(?:name|media_encryption|servers|tandem|forest|clé): |was \{\}"
    typed = (
        rf"« [^»]* »|'[^']*'|\(\?:\.\.\.\)|\(\?!9\)|\\\S+|ldap\S+|\[ \] : ; \| = , \+ \* \? < >|sip:\S*|tel:\S*|{keys}"
    )
    return re.sub(typed, "", french)


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("waits for um-dial-plans, exchucutil", "attend um-dial-plans, exchucutil"),
        # D: "X, or Y" and "X and Y" are "X ou Y" and "X et Y".
        ("needs Domain Admins, or Enterprise Admins: maria", "exige Domain Admins ou Enterprise Admins : maria"),
        (
            "set the dial plan to SIPSecured or Secured",
            "définissez la sécurité du plan de numérotation sur SIPSecured ou Secured",
        ),
        (
            "the messaging administrators and the voice administrators have not agreed to the split of work yet "
            "('tandem agree' records it)",
            "les administrateurs Exchange et les administrateurs Lync Server n'ont pas encore accepté la répartition des "
            "tâches (« tandem agree » l'enregistre)",
        ),
        # A name, what was found, and a title that has a colon of its own.
        ("Certificate of um1.example.com: it is revoked", "Certificat de um1.example.com : il est révoqué"),
        ("Contact of Reception [voice.example.net]: there", "Contact de Reception [voice.example.net] : présent"),
        (
            "Trusts with the other forests [example.com]: as declared",
            "Relations d'approbation avec les autres forêts [example.com] : conforme à la déclaration",
        ),
        (
            "Hunt groups: every pool for every secured dial plan: as declared",
            "Groupements de postes : chaque pool pour chaque plan de numérotation sécurisé : conforme à la déclaration",
        ),
        # Changes: kind and message are French, names, fields and values stay.
        (
            "+ UM mailbox policy Main Default Policy: dial_plan Main",
            "+ stratégie de boîte aux lettres de messagerie unifiée Main Default Policy : dial_plan Main",
        ),
        (
            "+ user bob: mail bob@example.com, warning: has the mail address of carol, who is gone from the file; if it is the "
            "same person, say 'was: carol' to keep mailbox, PIN and SIP secret",
            "+ utilisateur bob : mail bob@example.com, avertissement : adresse de messagerie déjà utilisé(e) par carol, qui ne "
            "figure plus dans le fichier ; s'il s'agit de la même personne, indiquez « was: carol » pour conserver la boîte "
            "aux lettres, le code confidentiel et le secret SIP",
        ),
        ("~ user carol becomes carol.jones", "~ utilisateur carol devient carol.jones"),
        # Steps that people carry out: what was seen, and what was not.
        (
            "observed by maria on ex1.example.com, 2026-11-20 09:00 UTC (8 days old), 0123456789ab",
            "observé par maria sur ex1.example.com, 2026-11-20 09:00 UTC (il y a 8 jours), 0123456789ab",
        ),
        (
            "Old observation, run the collector again: lync of voice.example.net, by victor on fe1.voice.example.net, "
            "2026-11-20 09:00 UTC (8 days old), 0123456789ab",
            "Observation ancienne, exécutez de nouveau le collecteur : lync de voice.example.net, par victor sur "
            "fe1.voice.example.net, 2026-11-20 09:00 UTC (il y a 8 jours), 0123456789ab",
        ),
        (
            "neither observed nor confirmed (ExchangeCertificate: nothing of ex1.example.com: run the collector there)",
            "ni observé ni confirmé (ExchangeCertificate : rien de ex1.example.com : exécutez-y le collecteur)",
        ),
        (
            "~ certificate ex1.example.com: to be enabled for UM",
            "~ certificat ex1.example.com : à activer pour UM",
        ),
        (
            "+ trust voice.example.net: mail.example.com trusts voice.example.net",
            "+ relation d'approbation voice.example.net : mail.example.com approuve voice.example.net",
        ),
        (
            "~ service RTCSRV on fe1.example.net: Stopped -> Running",
            "~ service RTCSRV sur fe1.example.net : Stopped -> Running",
        ),
        ("~ user alice: display_name She trusts me", "~ utilisateur alice : display_name She trusts me"),
        (
            "(lacks Server Management, or Administrators and Organization Management)",
            "(il lui manque Server Management, ou Administrators et Organization Management)",
        ),
        (
            "3/exchange-um-dial-plans waits for servers; 5/exchange-um-servers waits for certificates (you cannot see whether "
            "certificates is done). Confirm that first, or give a reason with --force. Nothing was recorded.",
            "3/exchange-um-dial-plans attend servers ; 5/exchange-um-servers attend certificates (vous ne pouvez pas voir si "
            "certificates est terminé). Confirmez d'abord ces étapes, ou indiquez un motif avec --force. Rien n'a été "
            "enregistré.",
        ),
        (
            "confirmed by maria 2026-11-20 (evidence 0123456789ab), not observed (nothing of RTCSRV on fe1.example.net)",
            "confirmé par maria le 2026-11-20 (evidence 0123456789ab), non observé (rien de RTCSRV sur fe1.example.net)",
        ),
        (
            "confirmed by maria 2026-11-20, after an observation that differs (by maria on ex1.example.com, 2026-11-19 "
            "09:00 UTC (9 days old), 0123456789ab); not observed since",
            "confirmé par maria le 2026-11-20, après une observation qui diffère (par maria sur ex1.example.com, 2026-11-19 "
            "09:00 UTC (il y a 9 jours), 0123456789ab) ; pas observé depuis",
        ),
        # Files of collectors and scripts: what was found, what was expected, what to do.
        (
            'lync.json: side: found "exch", expected "exchange" or "lync": run the collector again, and give its file as it was'
            " written. Nothing was kept.",
            'lync.json : side : trouvé : "exch" ; attendu : « exchange » ou « lync » ; exécutez de nouveau le collecteur, puis '
            "donnez son fichier tel qu'il a été écrit. Rien n'a été conservé.",
        ),
        (
            "a.json: no JSON (Expecting value: line 1 column 1 (char 0)), expected an observation: run the collector again, and"
            " give its file as it was written. Nothing was kept.",
            "a.json : pas de données JSON (Expecting value: line 1 column 1 (char 0)) ; attendu : une observation ; exécutez de"
            " nouveau le collecteur, puis donnez son fichier tel qu'il a été écrit. Rien n'a été conservé.",
        ),
        (
            "result.json: it is of another text of the step (digest 12, expected 34): write and run the script again. Nothing "
            "was recorded.",
            "result.json : le résultat concerne un autre texte de l'étape (empreinte 12 ; attendu : 34) : écrivez et exécutez "
            "de nouveau le script. Rien n'a été enregistré.",
        ),
        # Servers of two makers.
        (
            "UM servers of kind exchange behind a pool of kind tandem (untried): a Tandem pool calls Exchange UM as an IP PBX "
            "does, and was never run with one",
            "serveurs de messagerie unifiée de type exchange derrière un pool de type tandem (non essayé) : un pool Tandem "
            "appelle la messagerie unifiée Exchange comme le fait un IP-PBX, ce qui n'a jamais été essayé avec un serveur réel",
        ),
        # A user called as a kind, a state or a message is still called so.
        ("waits for none", "attend none"),
        ("not for administrator", "pas pour administrator"),
        ("+ user done", "+ utilisateur done"),
        ("nothing that anybody knows", "nothing that anybody knows"),
        ("Secured with SupportEncryption", "Secured avec SupportEncryption"),
        ("talks with the other team", "talks with the other team"),
        ("3 passed, 0 warning, 1 failed", "3 réussi, 0 avertissement, 1 échec"),
        ("", ""),
    ],
)
def test_a_message_becomes_french_and_its_values_stay(english: str, french: str) -> None:
    assert translator().said(english) == french


@pytest.mark.parametrize(
    "part",
    [
        "a: ",
        "a; ",
        ", ",
        " and ",
        "waits for ",
        "+ user a: b, ",
        " of ",
        "{}: no ",
        "there is no ",
        "x (y) ",
        "(",
        "[",
        " [a] ",
        "3/a ",
        "1 ",
        ". ",
    ],
)
def test_the_work_is_linear_in_the_length_of_a_message(part: str) -> None:
    """Eight times the length may take eight times the time, with a margin for a busy machine: not sixty-four times."""

    def seconds(times: int) -> float:
        text = part * times
        begun = time.process_time()
        translator().said(text)
        return time.process_time() - begun

    seconds(100)
    short, long = min(seconds(2_000) for _ in range(3)), min(seconds(16_000) for _ in range(3))
    assert long < 24 * max(short, 0.002)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr"}, "fr"),
        ({"LC_MESSAGES": "fr_CA", "LANG": "en_US.UTF-8"}, "fr"),
        ({"LC_ALL": "C", "LC_MESSAGES": "fr_FR", "LANG": "fr_FR"}, "en"),
        ({"LC_ALL": "", "LANG": "fr_BE"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_what_the_environment_says(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_a_finding_keeps_the_place_that_editors_read() -> None:
    finding = Finding(
        file="organization.yaml",
        line=7,
        severity=Severity.ERROR,
        key="user alice, pool",
        found="there is no voice pool 'pool9'",
        expected="one of those declared: none is declared",
    )
    french = Speech(language="fr")
    line = (
        "organization.yaml:7: erreur : user alice, pool : il n'existe aucun objet « pool de serveurs vocaux » nommé 'pool9' ; "
        "attendu : un de ceux qui sont déclarés : aucun n'est déclaré"
    )
    assert french.finding(finding) == line
    assert french.error(ConfigError(Path("o.yaml"), (finding,))) == f"o.yaml contient 1 erreur(s) :\n{line}"
    assert Speech(language="en").finding(finding) == str(finding)


SIGNS = ["; ", ": ", ", ", " and ", ", or ", " (", ")", "  ", ". ", "+ ", "~ ", "? ", "[a]", "\n", "{}", "{~}", "\\1"]
WORDS = ["waits for ", "there is no ", "user ", "users", "maria", "12 ", "Users", "warning", "Certificate of ", " more"]
PARTS = st.sampled_from(SIGNS + WORDS)


@given(st.lists(PARTS | st.text(max_size=3), max_size=30).map("".join))
def test_whatever_is_said_has_as_many_lines_and_keeps_what_stands_around_it(text: str) -> None:
    said = translator().said(text)
    assert said.count("\n") == text.count("\n")
    for before, after in zip(text.split("\n"), said.split("\n"), strict=True):
        assert after[: len(after) - len(after.lstrip())] == before[: len(before) - len(before.lstrip())]
        assert bool(before.strip()) == bool(after.strip())


def test_a_text_of_the_runbook_is_known_as_it_stands_and_is_no_template() -> None:
    knowing = translator().with_texts({"Pool {} of Contoso": "Pool {} de Contoso", "Contoso": "Contoso SA"})
    assert knowing.said("8/x  Pool {} of Contoso") == "8/x  Pool {} de Contoso"
    assert knowing.said("Pool 7 of Contoso") == "Pool 7 of Contoso"
    assert knowing.said("Messaging organization Contoso") == "Organisation de messagerie Contoso"
    assert translator().said("waits for {} and {~}") == "attend {} and {~}"


def test_what_is_joined_to_a_word_may_be_nothing_and_other_values_may_not() -> None:
    known = Translator(
        Wording(
            messages={
                "{}, not seen{}": "{}, non vu{~}",
                "why": "pourquoi",
                "as {}{}": "comme {~}{}",
                "by {}": "par {}",
                "no {}": "sans {}",
            },
            kinds={},
            details=(),
            products=(),
        )
    )
    assert known.said("a, not seen") == "a, non vu"
    assert known.said("a, not seen (why)") == "a, non vu (pourquoi)"
    assert known.said("as by me") == "comme par me"
    assert known.said(", not seen") == ", not seen"
    assert known.said("no ") == "no "


def test_an_error_that_is_not_known_stays_as_it_is() -> None:
    assert Speech(language="fr").error(ProcessError("something else")) == "something else"


ENGLISH = re.compile(r"\b(?:the|is|are|waits|needs|held|nobody|there|none|task|to do|does it|passed|failed|not|yet)\b")
"""Words that only English messages have (the example's names and fields hold none of them)."""


@pytest.fixture(scope="module")
def two_forests_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two-forest example of the tutorial, with a directory in which nothing is deployed yet."""
    text = (ROOT / "docs" / "tutorial-two-forests.md").read_text()
    (declared,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    folder = tmp_path_factory.mktemp("contoso") / "x"
    folder.mkdir()
    (folder / "organization.yaml").write_text(declared)
    assert tandem(folder, "directory", "create", "FILE").exit_code == 0
    return folder


@pytest.fixture
def two_forests(two_forests_template: Path, tmp_path: Path) -> Path:
    return deployment.copy(two_forests_template, tmp_path / "x")


def tandem(folder: Path, *arguments: str, **environment: str) -> Result:
    file = str(folder / "organization.yaml")
    words = [file if word == "FILE" else word for word in arguments]
    return CliRunner().invoke(command, words, env={"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", **environment})


def said_by(folder: Path, *arguments: str, **environment: str) -> str:
    return tandem(folder, *arguments, **environment).stdout


def english_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if ENGLISH.search(line)]


PLAN = """
 0  Ce que le déploiement suppose
    0/trusts@mail.example.com  Relations d'approbation avec les autres forêts
        administrateurs Active Directory ; exige Domain Admins ou Enterprise Admins ; titulaire(s) : administrator
        + relation d'approbation voice.example.net : partner voice.example.net, direction 3
    0/groups@mail.example.com  Groupes des deux équipes
        ~ administrateur maria : mot de passe (confidentiel)
        + membre Organization Management : maria
        + compte de serveur um1.mail.example.com
        + conteneur UM Contacts
    0/pools  Pools de serveurs vocaux  pour administrator après la phase 0
        attend 0/voice-containers@voice.example.net, 0/users@voice.example.net
        + secret SIP alice : (confidentiel)

 1  Déployer les serveurs de messagerie
    1/servers  Serveurs de messagerie (le premier de l'organisation)
        administrateurs Exchange ; exige Enterprise Admins ; titulaire(s) : administrator
        attend preconditions, 1/organization
        + serveur de messagerie um1.mail.example.com : kind tandem, version Tandem UM 15, roles Tandem UM

 2  Installer les certificats (TLS mutuel)
        + certificat um1.mail.example.com : il n'y en a pas

 3  Créer et configurer les plans de numérotation de messagerie unifiée
    3/dial-plans  Plans de numérotation de messagerie unifiée  pour administrator après la phase 0
        administrateurs Exchange ; exige Organization Management ; titulaire(s) : personne pour le moment, après la phase 0 par administrator, maria
        + stratégie de boîte aux lettres de messagerie unifiée Main Default Policy : dial_plan Main

 4  Définir la sécurité VoIP des plans de numérotation
        ~ plan de numérotation de messagerie unifiée Main : voip_security Unsecured -> Secured

 5  Ajouter les serveurs de messagerie unifiée aux plans de numérotation
        administrateurs Exchange ; exige Administrators et Server Management, ou Administrators et Organization Management ; titulaire(s) : personne pour le moment, après la phase 0 par administrator
        ~ serveur de messagerie um2.mail.example.com : dial_plans +Main, startup_mode TCP -> TLS, certificat de la phase 2 activé pour la messagerie unifiée

 6  Attribuer les adresses SIP aux boîtes aux lettres
    Les utilisateurs reçoivent leur adresse SIP lors de la phase 0 ; cette phase corrige les adresses et ajoute les adresses EUM.
        ~ utilisateur alice : proxy_addresses +EUM:alice@example.com;phone-context=Main.mail.example.com

 7  Autorisations, passerelles IP de messagerie unifiée et groupements de postes (exchucutil)
    7/gateways  Une passerelle IP de messagerie unifiée pour chaque pool de serveurs vocaux  pour administrator après la phase 0
        attend um-dial-plans, dial-plan-security
        + groupement de postes de messagerie unifiée Main : sur pool1.voice.example.net, gateway pool1.voice.example.net, dial_plan Main, pilot_identifier Main

 8  Configurer les plans de numérotation Lync Server
        + plan de numérotation vocal Global : simple_name DefaultProfile, rules (Extensions ^(\\d{4})$ +1425555$1)

 9  Créer les objets contact (OcsUmUtil)
        administrateurs Lync Server ; exige RTCUniversalServerAdmins et RTCUniversalUserAdmins ; titulaire(s) : personne pour le moment, après la phase 0 par administrator, victor
        + contact Main Subscriber Access : +14255550100, um-main@example.com, Accès abonné, OU=UM Contacts,DC=voice,DC=example,DC=net

10  Terminer la configuration de Voix Entreprise
        + stratégie de voix Global
    10/users  Activer les utilisateurs pour Voix Entreprise  pour administrator après la phase 0

11  Activer les utilisateurs de Voix Entreprise pour la messagerie unifiée
        administrateurs Exchange ; exige UM Management ou Organization Management ; titulaire(s) : personne pour le moment, après la phase 0 par administrator, maria
        ~ utilisateur bob : um_flags 0 -> 829, um_mailbox_policy - -> Main Default Policy, um_dial_plan - -> Main, proxy_addresses +eum:4102;phone-context=Main.mail.example.com, pin_state - -> pending

La répartition des tâches est acceptée par : aucune équipe pour le moment.
31 tâche(s) à effectuer : 79 à créer, 16 à modifier, 0 à supprimer.
"""  # noqa: E501 - lines as they are printed


@pytest.mark.slow
def test_the_plan_of_two_forests_is_french_from_end_to_end(two_forests: Path) -> None:
    shown = said_by(two_forests, "plan", "FILE", "--lang", "fr")
    lines = iter(re.sub(r"(?<=\S)  +", "  ", line) for line in shown.splitlines())
    lacking = [wanted for wanted in filter(None, PLAN.splitlines()) if wanted not in lines]  # in this order
    assert lacking == []
    assert english_lines(shown) == []
    assert said_by(two_forests, "plan", "FILE", LANG="fr_FR.UTF-8") == shown
    assert english_lines(said_by(two_forests, "plan", "FILE")) != []


VERIFY = """
réussi   Relations d'approbation avec les autres forêts : conforme à la déclaration
réussi   Groupements de postes : chaque pool pour chaque plan de numérotation sécurisé : conforme à la déclaration
réussi   Certificat de um1.mail.example.com : nom correct, approuvé, en cours de validité
réussi   Rôles de um1.mail.example.com : Tandem UM
réussi   Mode de démarrage de um1.mail.example.com : TLS
réussi   Type d'URI de Main : SipName
réussi   Sécurité de Main avec pool1.voice.example.net : Secured avec RequireEncryption
réussi   Tous les serveurs de messagerie unifiée dans Main : um1.mail.example.com, um2.mail.example.com
réussi   Serveurs de messagerie unifiée de Main : um1.mail.example.com, um2.mail.example.com
réussi   Passerelle de pool1.voice.example.net : pool1.voice.example.net
réussi   Groupements de postes de pool1.voice.example.net : un par plan de numérotation
réussi   Appels sortants : une passerelle par plan de numérotation
réussi   Droits du côté voix sur UM DialPlan Container : lister et lire
réussi   Standard automatique Reception : Enabled
réussi   Les règles de normalisation sont exécutables : 1 règles
réussi   Accès abonné de Main : +14255550100
réussi   Contact de Reception : présent
réussi   Chaque numéro est attribué une seule fois : 4 numéros
réussi   Chaque adresse est utilisée une seule fois : 8 adresses SIP et EUM
réussi   Les numéros des contacts sont au format E.164 : 2 contacts
réussi   Les utilisateurs de la messagerie unifiée ont ce que la messagerie vocale exige : 2 utilisateurs
avertissement  Non pris en charge par cette version : standard automatique Reception : les standards automatiques ne sont pas pris en charge par Tandem dans cette version
         phase enterprise-voice : aucun ; sinon, un appel à son numéro est refusé (480)
"""  # noqa: E501 - lines as they are printed


def plain(text: str) -> list[str]:
    """Lines with one space between columns, and without the forest that a check is about."""
    lines = (re.sub(r" \[[a-z.]+\](?= :)", "", " ".join(line.split())) for line in text.splitlines())
    return [line for line in lines if line]


@pytest.mark.slow
def test_verify_and_drift_of_two_forests_are_french(two_forests: Path) -> None:
    first = said_by(two_forests, "verify", "FILE", "--lang", "fr")
    lines = plain(first)
    failed = lines.index("échec Unités d'organisation : + conteneur People ; + conteneur UM Contacts")
    assert lines[failed + 1] == "phase preconditions : « tandem apply » s'en charge : administrator"
    assert english_lines(first) == []
    done = tandem(two_forests, "apply", "FILE", "--lang", "fr")
    assert "terminé 0/groups@voice.example.net  Groupes des deux équipes" in done.stdout
    assert "31 tâche(s) effectuée(s) par administrator, 0 restante(s)." in done.stdout
    assert done.stderr.splitlines()[0] == (
        "avertissement : les administrateurs Exchange et les administrateurs Lync Server n'ont pas encore accepté la "
        "répartition des tâches (« tandem agree » l'enregistre)"
    )
    shown = said_by(two_forests, "verify", "FILE", "--lang", "fr")
    assert [wanted for wanted in plain(VERIFY) if wanted not in plain(shown)] == []
    assert english_lines(shown) == []
    drift = said_by(two_forests, "drift", "FILE", "--lang", "fr")
    assert drift == "Aucune dérive : l'annuaire est conforme à la déclaration.\n"
    nothing = said_by(two_forests, "plan", "FILE", "--lang", "fr")
    assert nothing.splitlines()[-1] == "Rien à faire : l'annuaire est conforme à la déclaration."


@pytest.mark.slow
def test_refusals_are_french(two_forests: Path) -> None:
    assert tandem(two_forests, "apply", "FILE", "--phase", "0").exit_code == 0
    french = Speech(language="fr")

    def refused(*arguments: str) -> str:
        error = tandem(two_forests, *arguments).exception
        assert isinstance(error, ProcessError)
        return french.error(error)

    assert refused("apply", "FILE", "--as", "maria", "--phase", "voice-dial-plans") == (
        "8/voice-dial-plans exige RTCUniversalServerAdmins ; maria n'est pas membre de RTCUniversalServerAdmins. "
        "Peut être effectué par : administrator, victor. Rien n'a été modifié."
    )
    assert refused("confirm", "FILE", "3/exchange-dial-plans", "--as", "maria") == (
        "il n'existe aucune étape '3/exchange-dial-plans' dans le guide d'exécution ; étapes existantes : aucun"
    )
    assert refused("plan", "FILE", "--as", "nobody") == (
        "--as nobody : l'annuaire ne connaît pas ce compte ; les administrateurs sont administrator, maria, victor"
    )
    assert said_by(two_forests, "agree", "FILE", "--as", "victor", "--lang", "fr") == (
        "victor donne l'accord des administrateurs Lync Server.\n"
    )


@pytest.mark.slow
def test_what_programs_read_and_what_is_evidence_stays_english(two_forests: Path) -> None:
    for words in (("plan", "FILE", "--json"), ("verify", "FILE", "--json"), ("validate", "FILE", "--json")):
        assert json.loads(said_by(two_forests, *words, "--lang", "fr")) == json.loads(said_by(two_forests, *words))
    tandem(two_forests, "apply", "FILE", "--phase", "0", "--lang", "fr")
    journal = (two_forests / "state" / "journal.jsonl").read_text()
    assert "+ group Organization Management" in journal and "groupe" not in journal
    assert "Show what is to be done" in said_by(two_forests, "plan", "--help", LANG="fr_FR")


@pytest.mark.slow
def test_the_page_of_a_plan_is_french(two_forests: Path, tmp_path: Path) -> None:
    page = tmp_path / "plan.html"
    tandem(two_forests, "plan", "FILE", "--html", str(page), "--lang", "fr")
    html = page.read_text()
    assert html.startswith('<!doctype html>\n<html lang="fr">') and "body { font:" in html
    text = unescape(re.sub(r"<[^>]+>", "\n", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)))
    lines = [line.strip(" ") for line in text.splitlines() if line.strip()]
    for wanted in (
        "Plan de déploiement de Contoso",
        "Administrateurs Exchange",
        "3. Créer et configurer les plans de numérotation de messagerie unifiée",
        # A space at which no line ends.
        "RTCUniversalServerAdmins et RTCUniversalUserAdmins\u00a0: personne pour le moment",
        "Enterprise Admins\u00a0: administrator",
        "+ certificat um1.mail.example.com\u00a0: il n'y en a pas",
    ):
        assert wanted in lines
    assert any(line.startswith("Plans de numérotation de messagerie unifiée") for line in lines)
    assert english_lines(text) == []


@pytest.mark.slow
def test_validate_is_french(two_forests: Path) -> None:
    file = two_forests / "organization.yaml"
    file.write_text(file.read_text().replace("pool: pool1.voice.example.net, line_uri", "pool: pool9, line_uri", 1))
    lines = said_by(two_forests, "validate", "FILE", "--lang", "fr").splitlines()
    assert lines[-1] == f"{file} : 1 erreur(s), 1 avertissement(s), 2 utilisateur(s) lu(s)"
    (wrong,) = [line for line in lines if ": erreur :" in line]
    assert wrong.endswith(
        ": erreur : user alice : il n'existe aucun objet « pool de serveurs vocaux » nommé 'pool9' ; attendu : un de ceux qui "
        "sont déclarés : pool1.voice.example.net"
    )
    assert english_lines("\n".join(lines)) == []


@pytest.mark.slow
def test_steps_on_exchange_and_lync_servers_are_named_in_french(two_forests: Path) -> None:
    file = two_forests / "organization.yaml"
    declared = re.sub(r"fqdn: (um\d[^,]+),", r"fqdn: \1, kind: exchange, version: '2013',", file.read_text())
    file.write_text(declared.replace("fqdn: pool1.voice.example.net,", "fqdn: pool1.voice.example.net, kind: lync,"))
    steps = runbook_steps(require_organization(file))
    shown = said_by(two_forests, "plan", "FILE", "--lang", "fr")
    assert len(steps) > 10 and all(f"{step.id}  {step.title.fr}" in shown for step in steps)
    assert "! étape du guide d'exécution " not in shown  # which would say the id again
    assert "à la main (à exécuter sur : " in shown
    assert ") : « tandem runbook » fournit les commandes, « tandem confirm » enregistre l'étape" in shown
    assert english_lines(shown) == []


@pytest.fixture
def servers_of_microsoft(tmp_path: Path) -> Path:
    """Exchange and Lync alone, nothing of which is observed or confirmed."""
    (tmp_path / "organization.yaml").write_text(TWO_FORESTS, encoding="utf-8")
    assert tandem(tmp_path, "directory", "create", "FILE").exit_code == 0
    assert tandem(tmp_path, "apply", "FILE").exit_code == 4  # the steps by hand remain
    return tmp_path


def observations(folder: Path) -> list[str]:
    """The files of the collectors, written now; the media encryption of the pools differs, and certificates were not read."""
    results = observed.results(
        require_organization(folder / "organization.yaml"), SystemClock().at() - timedelta(hours=3)
    )
    for name, members in results.items():
        if members["side"] == "lync":
            members["objects"]["Service"] = []
            members["objects"]["CsUser"][0]["EnterpriseVoiceEnabled"] = False
        else:
            members["objects"]["UMDialPlan"].append({"Name": "Old"})
            members["objects"]["ExchangeCertificate"] = []
            members["objects"].pop("UMHuntGroup", None)
            members["unread"]["UMHuntGroup"] = "Access is denied."
        (folder / f"{name}.json").write_bytes(observed.sealed(members))
    return [str(folder / f"{name}.json") for name in results]


@pytest.mark.slow
def test_what_is_observed_is_told_in_french(servers_of_microsoft: Path) -> None:
    folder = servers_of_microsoft
    steps = runbook_steps(require_organization(folder / "organization.yaml"))
    kept = said_by(folder, "observe", "FILE", *observations(folder), LANG="fr_FR.UTF-8")
    assert "    n'a pas pu être lu : UMHuntGroup : Access is denied.\n" in kept
    assert "    seuls les certificats de son hôte comptent : le résultat de " in kept
    assert kept.endswith(" résultat(s) conservé(s) pour administrator ; « tandem plan » les compare.\n")
    shown = said_by(folder, "plan", "FILE", "--lang", "fr")
    assert "Étapes sur les serveurs Exchange et Lync Server : 22 observé, 11 ouvert, 3 différent.\n" in shown
    assert (
        "(ExchangeCertificate : rien de mbx1.proseware.example : exécutez-y le collecteur ; ExchangeCertificate : "
        in shown
    )
    assert "    ~ utilisateur alice : enterprise_voice False -> True\n" in shown
    checked = said_by(folder, "verify", "FILE", "--lang", "fr")
    assert re.search(
        r"^échec  +Activer les .*: ~ utilisateur alice .* \(différent, observé par LITWARE.*\)$", checked, re.M
    )
    assert all(step.title.fr in checked for step in steps)
    drift = said_by(folder, "drift", "FILE", "--lang", "fr")
    assert "      ? plan de numérotation de messagerie unifiée Old : observé, et non déclaré\n" in drift
    assert (
        "\n3 différence(s), dans certificates, um-dial-plans, enterprise-voice. 11 étape(s) non observée(s) : 0/"
        in drift
    )
    quoted = "UMHuntGroup: cas1.proseware.example: Access is denied."  # PowerShell's own words
    assert (
        english_lines("".join((kept, shown, checked, drift)).replace(quoted, "").replace("Access is denied.", "")) == []
    )
    assert "résultat" not in said_by(
        folder, "observe", "FILE", *observations(folder), "--lang", "en", LANG="fr_FR.UTF-8"
    )


@pytest.mark.slow
def test_a_confirmation_and_its_refusals_are_french(servers_of_microsoft: Path) -> None:
    folder = servers_of_microsoft
    refused = tandem(folder, "confirm", "FILE", "3/exchange-dial-plans", "--as", "maria", LANG="fr_FR.UTF-8")
    assert isinstance(refused.exception, ProcessError)
    assert Speech(language="fr").error(refused.exception) == (
        "3/exchange-dial-plans attend servers. Confirmez d'abord ces étapes, ou indiquez un motif avec --force. Rien n'a été "
        "enregistré."
    )
    done = tandem(
        folder, "confirm", "FILE", "3/exchange-dial-plans", "--force", "x", "--as", "maria", LANG="fr_FR.UTF-8"
    )
    assert done.stdout == "1 étape(s) confirmée(s) par maria.\n"
    assert done.stderr.startswith(
        "Avertissement : les administrateurs Exchange et les administrateurs Lync Server n'ont pas"
    )
    shown = said_by(folder, "plan", "FILE", "--lang", "fr")
    assert re.search(r"^        confirmé par maria le \d{4}-\d\d-\d\d \(forced: x\), non observé$", shown, re.M)


@pytest.mark.slow
def test_the_page_and_the_runbook_of_servers_of_microsoft_are_french(
    servers_of_microsoft: Path, tmp_path: Path
) -> None:
    page = tmp_path / "plan.html"
    tandem(servers_of_microsoft, "plan", "FILE", "--html", str(page), LANG="fr_FR.UTF-8")
    text = unescape(re.sub(r"<[^>]+>", "\n", re.sub(r"<style>.*?</style>", "", page.read_text(), flags=re.DOTALL)))
    steps = runbook_steps(require_organization(servers_of_microsoft / "organization.yaml"))
    assert all(step.title.fr in text.replace("\u00a0", " ") for step in steps)
    assert english_lines(text) == []
    lines = text.splitlines()
    assert "Résumé" in lines and "Total" in lines and "Nom" in lines
    french = said_by(servers_of_microsoft, "runbook", "FILE", LANG="fr_FR.UTF-8")
    assert french == said_by(servers_of_microsoft, "runbook", "FILE", "--lang", "fr")
    assert french.startswith("# Guide d'exécution du déploiement : ")
    english = said_by(servers_of_microsoft, "runbook", "FILE", "--lang", "en", LANG="fr_FR.UTF-8")
    assert english == said_by(servers_of_microsoft, "runbook", "FILE") != french
    none = tandem(
        servers_of_microsoft, "runbook", "FILE", "--for", "directory", "--forest", "litware.example", "--lang", "fr"
    )
    assert none.exit_code == 0
