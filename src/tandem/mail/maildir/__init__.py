"""Mailboxes as Maildirs, which any IMAP server can serve."""
