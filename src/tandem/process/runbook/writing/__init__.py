"""A runbook as people take it along: text, page, PowerShell scripts, report for the change record, hand-over."""
