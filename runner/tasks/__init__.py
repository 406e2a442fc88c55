"""One file per kind of work. None knows another but by name, in what it waits for."""

from functools import cache

from runner.model.importing import imported
from runner.model.task import Task

NAMES = (
    "list",
    "match",
    "hash",
    "rename",
    "guard",
    "respell",
    "mkdir",
    "move",
    "upload",
    "verify",
    "prove",
    "barrier",
    "trash",
    "retire",
    "hook",
    "accept",
)
"""Of a run, in the order in which a person tells of them."""

UNDO = ("recall", "look", "guard", "restore", "unmove", "discard", "clear")
"""Of an undo, likewise."""

PER_PAIR = tuple(name for name in NAMES if name not in ("hook", "accept", "prove"))
"""Those that each pair of a run has."""

PROVING = ("list", "match", "prove")
"""Of a verification: all of them read."""


@cache
def task(name: str) -> Task:
    """The task of that name."""
    module = name if name in NAMES else f"undo.{name}"
    instance: Task = getattr(imported(f"runner.tasks.{module}"), name.capitalize())()
    return instance
