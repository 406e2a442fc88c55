"""The start of a process and its imports: nobody looks for garbage, and Ctrl-C ends the process there and then.

A module leaves no garbage, and a model that is built none either. And nothing is under way yet that has to be
wound up, while an interrupt that is raised in the middle of an import shows its traceback, or is swallowed by
a library, which then takes the answer for no.
"""

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

_begun: list[bool] = []  # not empty where the process is ours alone


def begin() -> None:
    """Begin a process that is ours alone, and that imports until `end`."""
    _begun.append(True)
    gc.disable()
    _die_at_once()


def end() -> None:
    """All that was imported stays, so nobody need look through it; from now on Ctrl-C raises KeyboardInterrupt."""
    if _begun:
        gc.freeze()
        gc.enable()
        _raise()


@contextmanager
def importing() -> Iterator[None]:
    """Import more while a command goes on, or build models."""
    watched = gc.isenabled()
    gc.disable()
    dies = bool(_begun) and _die_at_once()
    try:
        yield
    finally:
        if dies:
            _raise()
        if _begun:  # to ask the collector takes 3 ms, for it counts
            gc.freeze()
        if watched:
            gc.enable()


def imported(name: str) -> ModuleType:
    """The module of that name, there already or imported now."""
    if name in sys.modules:
        return import_module(name)  # which waits for a thread that is not done with it
    with importing():
        return import_module(name)


def _die_at_once() -> bool:
    """False where Ctrl-C is ignored, as it is in a shell's background, or somebody listens for it."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return True


def _raise() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
