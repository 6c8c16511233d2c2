"""The commented example that ``tandem init`` writes: the fictitious organization of example.com."""
