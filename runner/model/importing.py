"""Importing without looking for garbage, of which there is none in a module."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_frozen: list[bool] = []  # not empty once it was


def freeze() -> None:
    """All that was imported so far stays, so nobody need look through it: for a process that is ours alone."""
    _frozen.append(True)
    gc.freeze()


@contextmanager
def importing() -> Iterator[None]:
    """Import more while a run goes on. What was imported is frozen too, where that was done before."""
    watched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if _frozen:  # to ask the collector takes 3 ms, for it counts
            gc.freeze()
        if watched:
            gc.enable()
