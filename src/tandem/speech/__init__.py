"""Prompts by language."""
