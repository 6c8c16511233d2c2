"""``python -m tandem.media.engine``: a worker; only the engine starts it."""

from tandem.media.engine.worker import main

main()
