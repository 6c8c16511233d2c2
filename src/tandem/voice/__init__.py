"""The voice server: registrar, normalization, routing, diversion to UM."""
