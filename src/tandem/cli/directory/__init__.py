"""Commands for the directory itself."""
