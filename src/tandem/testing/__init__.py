"""The test kit: clocks that jump, ids that repeat, networks that lose. Imported by tests only."""
