"""The deployment process: phases, roles, tasks, plan, apply, verify, journal."""
