"""A runbook as Markdown, as a page to print, and as a PowerShell script.

The script runs every step in order, or those that ``-Step`` names, each followed by its check; it takes ``-WhatIf`` and
may be run again. Each shell needs its own script: ``--for`` selects a team.
"""

from collections.abc import Callable, Iterable
from html import escape

from tandem.org.model import Organization
from tandem.process.phases import Side
from tandem.process.roles import requirement_text
from tandem.process.runbook.model import Language, RunbookStep, Text
from tandem.process.runbook.powershell import comment, quote

_SIDES = {
    Side.DIRECTORY: Text("directory administrators", "administrateurs de l'annuaire"),
    Side.MESSAGING: Text("messaging administrators", "administrateurs de la messagerie"),
    Side.VOICE: Text("voice administrators", "administrateurs de la voix"),
}
_PHASES_FR = (
    "Ce que le déploiement suppose",
    "Déployer les serveurs de messagerie",
    "Installer les certificats (TLS mutuel)",
    "Créer et configurer les plans de numérotation de messagerie unifiée",
    "Définir la sécurité VoIP des plans de numérotation",
    "Ajouter les serveurs de messagerie unifiée aux plans de numérotation",
    "Donner leurs adresses SIP aux boîtes aux lettres",
    "Autorisations, passerelles et groupements de postes (exchucutil)",
    "Configurer les plans de numérotation voix",
    "Objets contact (ocsumutil)",
    "Reste de la configuration de Voix Entreprise",
    "Activer les utilisateurs de Voix Entreprise pour la messagerie unifiée",
)
_WORDS = {
    "title": Text("Runbook", "Processus de déploiement"),
    "roles": Text("Required groups and roles", "Groupes et rôles requis"),
    "where": Text("Where", "Où"),
    "commands": Text("Commands", "Commandes"),
    "check": Text("Check", "Vérification"),
    "nothing": Text("There is no server of kind exchange or lync.", "Il n'y a aucun serveur de type exchange ou lync."),
    "confirm": Text("Afterwards: tandem confirm FILE", "Ensuite : tandem confirm FICHIER"),
}


def phase_title(step: RunbookStep, language: Language) -> str:
    """The title of a step's phase."""
    return _PHASES_FR[step.phase.number] if language == "fr" else step.phase.title


def markdown(steps: Iterable[RunbookStep], organization: Organization, language: Language) -> str:
    """By phase, then by team; commands and checks as code."""
    parts = [f"# {_WORDS['title'].of(language)}: {_plain(organization.name)}\n"]
    last = None
    for step in steps:
        if step.phase != last:
            last = step.phase
            parts.append(f"## {step.phase.number}. {phase_title(step, language)}\n")
        parts.append(f"### {step.id}: {_plain(step.title.of(language))}\n")
        parts.append(f"- {_SIDES[step.side].of(language)}; {step.forest}")
        parts.append(f"- {_WORDS['roles'].of(language)}: {requirement_text(step.required)}")
        parts.append(f"- {_WORDS['where'].of(language)}: {step.where.of(language)}")
        parts += [f"- {_plain(note.of(language))}" for note in step.notes]
        parts += [f"- {link.about}: <{link.url}>" for link in step.links]
        for word, blocks in (("commands", step.commands), ("check", step.checks)):
            if blocks:
                parts.append(f"\n{_WORDS[word].of(language)}:\n\n```powershell\n" + "\n".join(blocks) + "\n```")
        parts.append(f"\n{_WORDS['confirm'].of(language)} {step.id}\n")
    return "\n".join(parts if last else (*parts, _WORDS["nothing"].of(language), ""))


def page(steps: Iterable[RunbookStep], organization: Organization, language: Language) -> str:
    """One self-contained page, each team's steps on pages of their own."""
    title = f"{_WORDS['title'].of(language)}: {escape(organization.name)}"
    listed = list(steps)
    body = "".join(
        f"<section><h2>{escape(_SIDES[side].of(language))}</h2>{''.join(_article(s, language) for s in mine)}</section>"
        for side in Side
        if (mine := [s for s in listed if s.side is side])
    )
    body = body or f"<p>{escape(_WORDS['nothing'].of(language))}</p>"
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>'
        "body{font:11pt/1.45 system-ui,sans-serif;margin:2cm auto;max-width:19cm}section{break-before:page}"
        "section:first-of-type{break-before:auto}article{break-inside:avoid;border-left:3px solid #1f5fa8;padding-left:.8em}"
        "pre{background:#f3f3f3;padding:.5em;white-space:pre-wrap;font-size:9pt}</style></head>"
        f"<body><h1>{title}</h1>{body}</body></html>\n"
    )


def _article(step: RunbookStep, language: Language) -> str:
    notes = [f"{_WORDS['roles'].of(language)}: {requirement_text(step.required)}"]
    notes += [f"{_WORDS['where'].of(language)}: {step.where.of(language)}", *(note.of(language) for note in step.notes)]
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    items += "".join(f'<li><a href="{escape(link.url)}">{escape(link.about)}</a></li>' for link in step.links)
    code = "".join(
        f"<h4>{_WORDS[word].of(language)}</h4><pre>{escape(chr(10).join(blocks))}</pre>"
        for word, blocks in (("commands", step.commands), ("check", step.checks))
        if blocks
    )
    heading = f"{step.phase.number}. {phase_title(step, language)}"
    return (
        f"<article><h3>{escape(heading)}</h3><p><b>{escape(step.id)}</b> {escape(step.title.of(language))}</p>"
        f"<ul>{items}</ul>{code}</article>"
    )


def script(steps: Iterable[RunbookStep], organization: Organization, language: Language) -> str:
    """A script for Exchange's or Lync's shell."""
    listed = list(steps)
    lines = [
        comment(f"{_WORDS['title'].of(language)}: {organization.name}"),
        "[CmdletBinding(SupportsShouldProcess = $true)]",
        "param([string[]]$Step = @(), [string]$CertificateAuthority = '')",
        "Set-StrictMode -Version 2.0",
        "$ErrorActionPreference = 'Stop'",
        "",
    ]
    for at, step in enumerate(listed):
        lines.append(comment(f"{step.phase.number}. {phase_title(step, language)}: {step.title.of(language)}"))
        lines += [comment(f"{_WORDS['roles'].of(language)}: {requirement_text(step.required)}")]
        lines += [comment(note.of(language)) for note in (step.where, *step.notes)]
        lines.append(f"function Invoke-Step{at} {{\n    [CmdletBinding(SupportsShouldProcess = $true)]\n    param()")
        lines += [_indented(block) for block in step.commands]
        lines.append("    if (-not $WhatIfPreference) {")
        lines += [_indented(block, "        ") for block in step.checks]
        lines.append("    }\n}\n")
    lines.append("$steps = @(")
    lines += [f"    [pscustomobject]@{{ Id = {quote(s.id)}; Name = 'Invoke-Step{at}' }}" for at, s in enumerate(listed)]
    lines.append(")\nforeach ($each in $steps) {")
    lines.append("    if ($Step.Count -eq 0 -or $Step -contains $each.Id) {")
    lines.append("        Write-Host $each.Id\n        & $each.Name -WhatIf:$WhatIfPreference\n    }\n}")
    return "\n".join(lines) + "\n"


def _indented(block: str, by: str = "    ") -> str:
    return "\n".join(by + line for line in block.split("\n"))


def _plain(text: str) -> str:
    """Text in Markdown: nothing in it becomes markup."""
    flat = " ".join(text.split())
    return "".join(f"\\{char}" if char in "\\`*_[]<>#|" else char for char in flat)


RENDERERS: dict[str, Callable[[Iterable[RunbookStep], Organization, Language], str]] = {
    "md": markdown,
    "html": page,
    "ps1": script,
}
