"""Backup, homes of servers, copy and import."""
