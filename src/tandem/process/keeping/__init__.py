"""Backup, copy and import."""
