"""An organization file from observations alone."""
