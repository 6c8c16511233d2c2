"""What each phase does, a file for each team's part of the process."""
