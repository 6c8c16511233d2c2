"""Users from day to day: what helps one user, and what those who left have left."""
