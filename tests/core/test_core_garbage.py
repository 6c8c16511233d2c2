"""The collector's settings in a server."""

import gc

from tandem.core.garbage import OLD, YOUNG, collect_rarely


def test_what_a_ready_server_holds_is_not_looked_at_again() -> None:
    before = gc.get_threshold()
    try:
        collect_rarely()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] == YOUNG and gc.get_threshold()[2] == OLD
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
