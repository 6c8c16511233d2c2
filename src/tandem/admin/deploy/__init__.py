"""Deploying an organization: plan, apply, drift, verify, runbook, agreements, journal."""
