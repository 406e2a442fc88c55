"""The use cases: the only place where kinds, state and engine meet. Each is imported by whoever uses it first."""

from typing import TYPE_CHECKING, Any

from runner.model.importing import imported

if TYPE_CHECKING:
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

_HOMES = {
    "options": ("Options", "Result"),
    "past": ("find_run", "history"),
    "places": ("Remotes", "place"),
    "plans": ("Saved", "doubting", "open_name", "opened"),
    "running": ("apply", "plan", "run"),
    "undoing": ("Undo", "undo"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(imported(f"{__name__}.{home}"), name)
    raise AttributeError(name)
