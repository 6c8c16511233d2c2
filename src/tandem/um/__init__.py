"""The UM server: answers calls into mailboxes."""
