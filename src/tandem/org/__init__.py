"""The organization as declared: model, loading, numbers, checks. Pure."""
