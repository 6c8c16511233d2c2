"""A synthetic phone, for verify, the demo and the tests."""
