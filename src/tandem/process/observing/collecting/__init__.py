"""Collectors: PowerShell scripts that only read what is there, and write an observation (docs/observation.md)."""
