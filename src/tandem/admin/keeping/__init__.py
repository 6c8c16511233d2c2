"""Backup and restore, homes of servers, certificates."""
