"""The tools of phases 7 and 9, and OU permissions."""
