"""exchucutil, OcsUmUtil and OU permissions."""
