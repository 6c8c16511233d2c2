"""What an operator sees of a running server: metrics, health, traces of calls, words to systemd."""
