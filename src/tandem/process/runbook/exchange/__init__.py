"""Runbook steps for servers of kind exchange."""
