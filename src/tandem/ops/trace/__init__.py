"""The trace of SIP messages: masked, kept in a ring on disk, shown by call, exported."""
