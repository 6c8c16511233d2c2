"""Authority, certificate stores and TLS contexts that check the peer by name."""
