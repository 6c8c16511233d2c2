"""One call leg: a dialog with its offer and answer, media session and security."""
