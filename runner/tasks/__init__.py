"""One file per kind of work. None knows another but by name, in what it waits for."""

from functools import cache
from importlib import import_module

from runner.model.task import Task

NAMES = (
    "list",
    "match",
    "hash",
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
"""In the order in which a person tells of them."""


@cache
def task(name: str) -> Task:
    """The task of that name."""
    instance: Task = getattr(import_module(f"runner.tasks.{name}"), name.capitalize())()
    return instance
