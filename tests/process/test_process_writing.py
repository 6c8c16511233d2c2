"""The runbook as text and page, and the report for the change record: complete, in both languages, closed to hostile names."""

import csv
import dataclasses
import io
import re
from functools import cache
from html.parser import HTMLParser

import pytest

from process.contoso import HOSTILE, VERSIONS, book, hostile, organization
from tandem.process.phases import PHASES, Side
from tandem.process.roles import any_of, requirement_text
from tandem.process.runbook.model import Language, StepTable, Text
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.formats import RENDERERS
from tandem.process.runbook.writing.markdown import fenced, plain
from tandem.process.runbook.writing.sections import sections
from tandem.process.runbook.writing.words import SHELLS, TEAMS, WORDS, duration, phase_title

LANGUAGES: tuple[Language, ...] = ("en", "fr")
MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """The tags, links, anchors and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        found = dict(attrs)
        self.links += [found["href"] or ""] if "href" in found else []
        self.anchors += [found["id"] or ""] if "id" in found else []
        if tag == "meta":
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def changed(**fields: object) -> Runbook:
    """A runbook whose first step has other fields."""
    everything = book(organization())
    step = dataclasses.replace(everything.steps[0], **fields)  # type: ignore[arg-type]
    return dataclasses.replace(everything, steps=(step, *everything.steps[1:]), every=(step, *everything.every[1:]))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: f"{v[0]}-SP{v[1]}")
def test_text_and_page_hold_every_step_with_team_forest_roles_and_how_it_is_confirmed(
    version: tuple[str, int], language: Language
) -> None:
    everything = book(organization(*version, forests=2))
    text, page = RENDERERS["md"](everything, language), Page(RENDERERS["html"](everything, language))
    said = "".join(page.texts)
    file = "FICHIER" if language == "fr" else "FILE"
    for step in everything.steps:
        assert (
            f"tandem confirm {file} {step.id} --evidence" in text
            and f"tandem confirm {file} {step.id} --evidence" in said
        )
        assert f"{TEAMS[step.side].of(language)}, {step.forest}" in text
        assert f"{TEAMS[step.side].of(language)}, {step.forest}" in said
        assert requirement_text(step.required, language) in said
        for block in (*step.commands, *step.checks, *step.undo):
            assert block in text and block in said, step.id


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("format_", ["html", "report-html"])
def test_a_page_says_which_runbook_it_is_and_holds_nothing_from_elsewhere(format_: str, language: Language) -> None:
    everything = book(organization())
    page = Page(RENDERERS[format_](everything, language))
    said = "".join(page.texts)
    for fact in ("Contoso", "0.2.0", "2026-11-28 09:00 UTC", everything.digest):
        assert fact in said
    assert page.open == [] and "script" not in page.tags and "img" not in page.tags and "link" not in page.tags


def test_the_pages_contents_lead_to_every_step_and_each_has_a_box_to_tick() -> None:
    everything = book(organization())
    text = RENDERERS["html"](everything, "en")
    page = Page(text)
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) <= set(page.anchors) and len(set(page.anchors)) == len(page.anchors)
    assert len([a for a in page.anchors if a.startswith("step-")]) == len(everything.steps)
    assert text.count('class="box"') >= 2 * len(everything.steps)
    assert "@page" in text and "string-set" in text


def test_a_step_says_what_it_waits_for_in_phases_and_teams() -> None:
    everything = book(organization())
    text = RENDERERS["md"](everything, "en")
    users = text.partition("`11/exchange-um-users`")[2].partition("\n### ")[0]
    assert "Only after: 3 Create and configure the UM dial plans" in users.replace("\\", "")
    assert "10 Remaining Enterprise Voice configuration (Lync Server administrators, example.com)" in users


def test_tables_are_named_with_their_number_of_rows_and_not_written_out() -> None:
    table = StepTable("users.csv", tuple({"User": f"user{at}"} for at in range(5000)))
    everything = changed(tables=(table,))
    for format_ in ("md", "html"):
        text = RENDERERS[format_](everything, "en")
        assert "users.csv" in text and "5000 rows" in text and "user4999" not in text


@pytest.mark.slow
@pytest.mark.parametrize("format_", [*RENDERERS])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_hostile_name_never_becomes_markup(format_: str, language: Language) -> None:
    for hostile_text in (HOSTILE, MARKUP, "|a|b|\n# head\n```\n[x](javascript:1)"):
        org = hostile(hostile_text.replace("\n", " "))
        everything = book(dataclasses.replace(org, name=hostile_text))
        text = RENDERERS[format_](everything, language)
        if format_.endswith("html"):
            page = Page(text)
            assert "script" not in page.tags and "img" not in page.tags
            assert not any(link.startswith("javascript") for link in page.links)
        elif format_.endswith("csv"):
            rows = list(csv.reader(io.StringIO(text)))
            assert len({len(row) for row in rows}) == 1 and len(rows) == len(everything.steps) + 1
        else:
            outside = re.sub(r"(?ms)^(`{3,})powershell\n.*?^\1$", "", text)
            outside = re.sub(r"\\.", "", outside)  # what is escaped is text
            assert "<script" not in outside and "\n# head" not in outside and "](javascript" not in outside


def test_a_fence_is_longer_than_any_run_of_backticks_in_the_code() -> None:
    assert fenced("a ```` b") == "`````powershell\na ```` b\n`````"
    assert fenced("a") == "```powershell\na\n```"


def test_a_value_of_the_report_is_no_formula_for_excel() -> None:
    everything = changed(title=Text("=cmd|' /C calc'!A0", "+1"))
    for language, text in (("en", "'=cmd|' /C calc'!A0"), ("fr", "'+1")):
        rows = list(csv.reader(io.StringIO(RENDERERS["report-csv"](everything, language))))  # type: ignore[arg-type]
        assert rows[1][2] == text
        assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_the_matrix_adds_up_steps_and_minutes_by_phase_and_team() -> None:
    everything = book(organization())
    steps = tuple(
        dataclasses.replace(step, minutes=minutes)
        for step, minutes in zip(everything.steps, range(10, 10 + len(everything.steps)), strict=True)
    )
    everything = dataclasses.replace(everything, steps=steps, every=steps)
    matrix = next(each for each in sections(everything, "en") if each.title == "Phases and teams")
    assert list(matrix.columns[1:]) == [TEAMS[side].en for side in everything.sides]
    voice = [step for step in steps if step.phase.number == 4 and step.side is Side.VOICE]
    row = next(row for row in matrix.rows if row[0].startswith("4."))
    at = 1 + everything.sides.index(Side.VOICE)
    assert row[at] == f"{len(voice)} ({duration(sum(s.minutes for s in voice), 'en')})"
    total = matrix.rows[-1]
    assert total[0] == "Total" and total[at].startswith(f"{sum(s.side is Side.VOICE for s in steps)} (")


@pytest.mark.parametrize(
    ("minutes", "said"), [(0, "0 min"), (5, "5 min"), (60, "1 h"), (95, "1 h 35 min"), (1440, "24 h")]
)
def test_a_duration_is_in_hours_and_minutes(minutes: int, said: str) -> None:
    assert duration(minutes, "en") == said


def test_the_report_has_names_to_sign_risk_back_out_window_and_tests_with_a_result() -> None:
    everything = changed(no_return=Text("URI types stay.", "Le type d'URI reste."), undo=(), commands=("Get-Date",))
    found = {each.title: each for each in sections(everything, "en")}
    signed = found["Signatures"]
    assert signed.columns[2:] == ("Name", "Date", "Signature") and all(set(row[2]) == {"_"} for row in signed.rows)
    assert {row[0] for row in signed.rows} == {f"{p.number}. {p.title}" for p in everything.phases}
    assert found["Risk"].rows[0] == (everything.steps[0].id, everything.steps[0].title.en, "URI types stay.")
    assert "Window begins" in {row[0] for row in found["Change and window"].rows}
    back = [row[0] for row in found["Back-out"].rows]
    ids = [step.id for step in everything.steps]
    assert back == [id_ for id_ in reversed(ids) if id_ in back] and everything.steps[0].id in back
    assert "Result" in found["Acceptance tests"].columns and found["Acceptance tests"].rows
    for format_ in ("report-html", "report-md"):
        text = RENDERERS[format_](everything, "en")
        assert all(title in text for title in found) and "URI types stay." in text


def test_the_frame_is_french_as_microsofts_documentation_writes_it() -> None:
    """shared/domain/real-servers.md, D."""
    everything = book(organization())
    for format_ in ("md", "html"):
        text = RENDERERS[format_](everything, "fr")
        for said in (
            "Guide d'exécution du déploiement : Contoso", "Groupes et rôles requis : ", "À exécuter sur : ",
            "Administrateurs Lync Server", "Administrateurs Exchange", "Vérification :", "Commandes :",
        ):  # fmt: skip
            assert said in text.replace("&#x27;", "'"), (format_, said)
    assert not re.search(r"\w[:;?!](?=\s)", "".join(word.fr for word in WORDS.values()))


@pytest.mark.parametrize(
    ("required", "said"),
    [
        (any_of("UM Management", "Organization Management"), "UM Management ou Organization Management"),
        (any_of(("B", "A")), "A et B"),
        (any_of(("A", "B"), "C"), "A et B, ou C"),
    ],
)
def test_groups_are_joined_by_ou_and_et_in_french(required: tuple[frozenset[str], ...], said: str) -> None:
    assert requirement_text(required, "fr") == said
    assert requirement_text(required) == said.replace(", ou", " ou").replace(" ou ", ", or ").replace(" et ", " and ")


def test_groups_that_windows_translates_have_both_names_in_french() -> None:
    """shared/domain/real-servers.md, D: on a French Active Directory the groups have these names."""
    required = any_of("Domain Admins", ("Enterprise Admins", "Schema Admins"), "Administrators")
    assert requirement_text(required, "fr") == (
        "Domain Admins (Admins du domaine), ou Enterprise Admins (Administrateurs de l'entreprise) et Schema Admins "
        "(Administrateurs du schéma), ou Administrators (Administrateurs)"
    )
    assert "(" not in requirement_text(required)
    assert "Domain Admins (Admins du domaine)" in RENDERERS["md"](book(organization()), "fr").replace("\\", "")


FRENCH = """
Vérifier les pools Lync Server
Adresses SIP à corriger
Créer les plans de numérotation de messagerie unifiée de type URI SIP
Les noms ne doivent contenir ni point ni espace.
Le nom du sujet doit être le nom de domaine complet (FQDN) du serveur, sans caractère générique ; aucun certificat auto-signé. Si
tous leurs noms figurent dans l'autre nom de l'objet (SAN)
Importez le certificat de l'autorité de certification racine dans le magasin Autorités de certification racines de confiance (ordinateur local) des serveurs
émis par une autorité de certification approuvée par Exchange
Le niveau de sécurité VoIP doit correspondre au niveau de chiffrement des pools (Get-CsMediaConfiguration) ; sinon, tous les appels vers la messagerie unifiée échouent.
Pour que les appareils Lync Phone Edition fonctionnent,
L'applet de commande Enable-UMMailbox attribue l'adresse lors de la phase 11 ; cette étape ne concerne que les utilisateurs déjà activés.
Attendez (ou forcez) la réplication d'Active Directory, puis demandez
Organization Management (Gestion de l'organisation)
Recipient Management (Gestion des destinataires)
Sans redémarrage, le service frontal ne détecte ni les nouveaux plans de numérotation ni les nouveaux serveurs ; les appels échouent (ms-diagnostics 15030).
un plan de numérotation global, de site ou de pool approprié suffit
cliquez sur Load Data (Charger les données)
Accès abonné
Standard automatique
Jonctions, stratégies de voix, enregistrements d'utilisation RTC et itinéraires des communications vocales
Générateur de topologie : passerelle RTC
puis publiez la topologie
Aucun code confidentiel n'est indiqué
"""  # noqa: E501 - texts as they are printed
"""The better wordings of shared/domain/real-servers.md, D, as far as they are no labels of the frame."""


@pytest.mark.parametrize("said", FRENCH.strip().splitlines())
def test_runbooks_say_what_microsofts_french_documentation_says(said: str) -> None:
    assert any(said in text for text in french_runbooks())


@cache
def french_runbooks() -> tuple[str, ...]:
    attendant = dataclasses.replace(organization().contacts[0], auto_attendant="Reception")
    orgs = [organization(*version) for version in VERSIONS]
    orgs += [dataclasses.replace(organization(forests=2), contacts=(*organization(forests=2).contacts, attendant))]
    spaces = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2019": "'", "\\": None})
    return tuple(RENDERERS["md"](book(org), "fr").translate(spaces) for org in orgs)


def test_every_phase_team_and_shell_has_a_french_name() -> None:
    assert len({phase_title(phase, "fr") for phase in PHASES}) == len(PHASES)
    assert all(phase_title(phase, "fr") != phase.title for phase in PHASES)
    for each in (*TEAMS.values(), *SHELLS.values()):
        assert each.en != each.fr


def test_a_runbook_of_nothing_says_so() -> None:
    empty = dataclasses.replace(book(organization()), steps=(), every=())
    assert "There is no server of kind exchange or lync." in RENDERERS["md"](empty, "en")
    assert "Il n&#x27;y a aucun serveur de type exchange ou lync." in RENDERERS["html"](empty, "fr")


def test_the_digest_changes_with_any_step_and_with_nothing_else() -> None:
    everything = book(organization())
    again = dataclasses.replace(book(organization()), version="9.9", at=everything.at.replace(year=2030))
    assert everything.digest == again.digest
    assert changed(checks=("throw 'other'",)).digest != everything.digest


@pytest.mark.parametrize("value", ["\uff1d1+1", "\uff20SUM(A1)", "\ufeff=1", "\u200b+1"])
def test_a_formula_in_full_width_or_behind_what_is_not_seen_is_none_either(value: str) -> None:
    rows = list(csv.reader(io.StringIO(RENDERERS["report-csv"](changed(title=Text(value, value)), "en"))))
    assert f"'{value}" in rows[1]


def test_markdown_strikes_nothing_out() -> None:
    assert plain("~~CONFIRMED~~") == r"\~\~CONFIRMED\~\~"
