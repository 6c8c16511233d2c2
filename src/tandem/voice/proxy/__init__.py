"""The stateful proxy."""
