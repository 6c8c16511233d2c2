"""The directory itself: create, prepare, copy, secrets, import, doctor."""
