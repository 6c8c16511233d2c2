"""Where users are, and proof of who they are."""
