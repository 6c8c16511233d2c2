"""What answers a call: tables for the menu runner. Pure."""
