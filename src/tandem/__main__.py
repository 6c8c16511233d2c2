"""``python -m tandem`` is the command ``tandem``."""

from tandem.cli.main import main

main()
