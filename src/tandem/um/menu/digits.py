"""The DTMF digits of a call: those that wait for a state that takes them, and those that may still grow into a longer input."""

from collections.abc import Iterable

MAX_AHEAD = 64
"""More digits than these are not kept: a PIN (24), an extension, and the way through a few menus."""


class TypedDigits:
    """``ahead`` waits; ``pending`` was taken by the state at present, which waits whether more follows."""

    __slots__ = ("ahead", "pending")

    def __init__(self) -> None:
        self.ahead = ""
        self.pending = ""

    def add(self, digit: str) -> None:
        """The caller sent one."""
        if len(self.ahead) < MAX_AHEAD:
            self.ahead += digit

    def clear(self) -> None:
        """Forget everything that was typed."""
        self.ahead = self.pending = ""

    def drop(self) -> None:
        """Forget the first that waits."""
        self.ahead = self.ahead[1:]

    def ends_with(self, terminator: str) -> bool:
        """Take the first that waits if it ends what is pending; whether it did."""
        ends = bool(terminator) and self.ahead[0] == terminator and self.pending.isdecimal()
        if ends:
            self.drop()
        return ends

    def begins(self, inputs: Iterable[str], length: int) -> bool:
        """Whether the first that waits, behind what is pending, begins one of ``inputs`` or a number of ``length`` digits."""
        digits = self.pending + self.ahead[0]
        number = len(digits) <= length and digits.isdecimal()
        return number or any(each.startswith(digits) for each in inputs)

    def take(self, inputs: Iterable[str], length: int) -> bool:
        """Let the first that waits become pending if it :meth:`begins` something; whether it did."""
        if not self.begins(inputs, length):
            return False
        self.pending += self.ahead[0]
        self.drop()
        return True

    def may_grow(self, inputs: Iterable[str], length: int) -> bool:
        """Whether a longer input begins with what is pending."""
        number = len(self.pending) < length and self.pending.isdecimal()
        return number or any(each != self.pending and each.startswith(self.pending) for each in inputs)
