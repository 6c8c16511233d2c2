"""The floor: error root, clock, ids, logging. No third party, imports nothing of ours."""
