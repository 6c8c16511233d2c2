"""What UM says: texts by id, and their sound, which is rendered beforehand and shipped (tools/render_prompts)."""
