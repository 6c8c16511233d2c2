"""The formats that are one text each. Scripts are several files: :mod:`tandem.process.runbook.writing.script`."""

from collections.abc import Callable

from tandem.process.runbook.model import Language
from tandem.process.runbook.writing.book import Runbook
from tandem.process.runbook.writing.markdown import markdown
from tandem.process.runbook.writing.page import page
from tandem.process.runbook.writing.report import report_csv, report_markdown, report_page

RENDERERS: dict[str, Callable[[Runbook, Language], str]] = {
    "md": markdown,
    "html": page,
    "report-md": report_markdown,
    "report-html": report_page,
    "report-csv": report_csv,
}
SCRIPTS = "ps1"
"""The format of the scripts."""
