"""exchucutil, OcsUmUtil and OU permissions, run on their own."""
