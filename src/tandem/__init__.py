"""Tandem: on-premises unified messaging and enterprise voice, deployed to work together."""
