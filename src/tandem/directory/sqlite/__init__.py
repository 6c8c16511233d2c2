"""The embedded directory."""
