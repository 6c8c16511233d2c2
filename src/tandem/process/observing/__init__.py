"""What was seen on real Exchange and Lync servers: collectors, their results, and what those say of each step."""
