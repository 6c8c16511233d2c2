"""What observations say of each step of the runbook."""
