"""What can be wrong in UM's menus."""

from tandem.core.errors import TandemError


class UmError(TandemError):
    """The root of this room's errors."""


class UnsoundMenu(UmError):
    """A menu table contradicts itself; the message names each state and what is wrong with it."""
