"""The root of every error that Tandem raises on purpose.

Each room has its own tree below this root in its ``errors.py``. The message of an error says what was found, what was
expected, where, and what to do; the command line prints it as it is and never shows a traceback for one.
"""


class TandemError(Exception):
    """Something went wrong that Tandem knows how to name."""
