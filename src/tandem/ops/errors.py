"""What can go wrong in the operator's part."""

from tandem.core.errors import TandemError


class OpsError(TandemError):
    """Logs, metrics, traces or systemd could not be served as they were asked for."""


class BadTrace(OpsError):
    """A file of the trace that cannot be read."""
