"""The demonstration and the synthetic phone."""
