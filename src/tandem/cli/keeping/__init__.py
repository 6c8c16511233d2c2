"""Backup, and certificates."""
