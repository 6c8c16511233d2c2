"""Commands that run servers and look at calls."""
