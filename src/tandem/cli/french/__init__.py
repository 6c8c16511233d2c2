"""French: what commands say, translated where it is printed (docs/adr/0034-french.md)."""
