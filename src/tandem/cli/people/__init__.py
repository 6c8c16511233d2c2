"""Commands that help one user."""
