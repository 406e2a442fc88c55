"""The numbers of a pair that guards and reports decide on."""

from typing import NamedTuple


class Amount(NamedTuple):
    """A number of files (or folders) and the bytes in them."""

    number: int = 0
    size: int = 0

    def plus(self, number: int, size: int) -> "Amount":
        """The sum with that much more."""
        return Amount(self.number + number, self.size + size)


class Tally(NamedTuple):
    """A pair after its two listings were matched, before the first write.

    source, destination: files listed on that side.
    create, replace, trash: files that the plan makes, overwrites, removes.
    gaps: parts of either tree that could not be listed.
    """

    source: Amount = Amount()
    destination: Amount = Amount()
    create: Amount = Amount()
    replace: Amount = Amount()
    trash: Amount = Amount()
    gaps: int = 0
