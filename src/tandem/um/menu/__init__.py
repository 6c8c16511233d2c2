"""Menus as tables: their words, the check at building, the runner (pure), and the driver of one call."""
