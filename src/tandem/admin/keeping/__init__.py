"""Backup and restore, certificates."""
