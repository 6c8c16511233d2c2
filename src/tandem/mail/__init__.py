"""MIME of each message kind, the durable spool, and the mailbox."""
