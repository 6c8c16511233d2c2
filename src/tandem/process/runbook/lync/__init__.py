"""Runbook steps for pools of kind lync."""
