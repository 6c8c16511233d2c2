"""Codecs, tones, levels and sound files."""
