"""Many changes in few lines: counted by folder, and deeper where most of them are."""

from collections.abc import Callable, Sequence

from runner.model.path import order
from runner.model.tally import Amount
from runner.state.account import Folded

_LOOKS = 6
"""Folders that are opened at most: each costs a pass over the pair's operations."""


def fold(look: Callable[[str], Sequence[Folded]], whole: Amount, most: int) -> tuple[list[Folded], Amount]:
    """At most `most` lines in path order, and the amount that these leave out.

    look: the children of a folder ("" or with "/" at its end), the most files first. whole: all there is.
    """
    folded = list(look(""))
    for _ in range(_LOOKS):
        biggest = max((f for f in folded if f.path.endswith("/")), key=lambda f: f.number, default=None)
        if biggest is None:
            break
        inside = look(biggest.path)
        if len(folded) - 1 + len(inside) > most:
            break
        folded = [f for f in folded if f is not biggest] + list(inside)
    kept = sorted(folded, key=lambda f: -f.number)[:most]
    left = Amount(whole.number - sum(f.number for f in kept), whole.size - sum(f.size for f in kept))
    return sorted(kept, key=lambda f: order(f.path)), left
