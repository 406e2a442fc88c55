"""The use cases: the only place where kinds, state and engine meet."""

from runner.app.options import Options, Result
from runner.app.past import find_run, history
from runner.app.places import Remotes, place
from runner.app.plans import Saved, doubting, open_name, opened
from runner.app.running import apply, plan, run
from runner.app.undoing import Undo, undo

__all__ = [
    "Options",
    "Remotes",
    "Result",
    "Saved",
    "Undo",
    "apply",
    "doubting",
    "find_run",
    "history",
    "open_name",
    "opened",
    "place",
    "plan",
    "run",
    "undo",
]
