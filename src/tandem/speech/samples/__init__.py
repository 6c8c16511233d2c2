"""What the demonstration's caller says."""
