"""Importing while a run goes on."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """No garbage is looked for within: there is none in what is imported. After it nobody need look through that.

    Only where this was so when the program started; otherwise the collector stays as it is.
    """
    watched, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    try:
        yield
    finally:
        if frozen:
            gc.freeze()
        if watched:
            gc.enable()
