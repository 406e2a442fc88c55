"""The numbers of a pair that guards and reports decide on."""

from dataclasses import dataclass
from typing import NamedTuple


class Amount(NamedTuple):
    """A number of files (or folders) and the bytes in them."""

    number: int = 0
    size: int = 0

    def plus(self, number: int, size: int) -> "Amount":
        """The sum with that much more."""
        return Amount(self.number + number, self.size + size)


class Seen(NamedTuple):
    """A pair as its last good run left it.

    run: that run's label; ended: seconds since 1970; filter: digest of the pair's filter then.
    source: files listed there; destination: files it left there.
    """

    run: str
    ended: float
    filter: str
    source: Amount
    destination: Amount


@dataclass(slots=True)
class Room:
    """Of a run that begins before its plan is finished: what it has to store, and what there was room for.

    needed: bytes planned so far, of what is stored already too; None where nothing begins early.
    free: bytes at the destination before the first write; None where nobody can say, or nobody asks.
    """

    needed: int | None = None
    free: int | None = None


class Claims:
    """What the pairs that are planned together are to store, by what has the room for it."""

    def __init__(self) -> None:
        self._bytes: dict[str, dict[str, int]] = {}

    def claim(self, room: str, pair: str, size: int) -> int:
        """Note what a pair wants there; return what the others have claimed so far."""
        claimed = self._bytes.setdefault(room, {})
        claimed[pair] = size
        return sum(claimed.values()) - size


class Check(NamedTuple):
    """One limit held against a finished plan.

    limit: its name in the guard, such as "trash.max". level: "ok", "warn", "refused" (a person may accept
    the one plan), "accepted" (somebody has), "final" (nobody may), or "note" for what is only told.
    text: the numbers, in words.
    """

    limit: str
    level: str
    text: str


class Tally(NamedTuple):
    """A pair after its two listings were matched, before the first write.

    source, destination: files listed on that side.
    create, replace, trash: files that the plan makes, overwrites, removes.
    renamed: files that it moves; without that each would be made and removed.
    gaps: parts of either tree that could not be listed.
    """

    source: Amount = Amount()
    destination: Amount = Amount()
    create: Amount = Amount()
    replace: Amount = Amount()
    trash: Amount = Amount()
    renamed: Amount = Amount()
    gaps: int = 0
