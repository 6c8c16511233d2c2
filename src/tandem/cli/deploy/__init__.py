"""Commands that deploy an organization."""
