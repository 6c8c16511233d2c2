"""Looking at calls."""
