"""Header fields as values."""
