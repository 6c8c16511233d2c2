"""Backup, homes of servers, certificates."""
