"""Media of many calls in worker processes: one flat epoll loop each (docs/adr/0013)."""
