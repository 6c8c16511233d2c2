"""Session descriptions, offers and answers."""
