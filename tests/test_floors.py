"""The house stands on its floors: imports look down only, and each library has one door."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

HOUSE = Path(__file__).parent.parent / "runner"

FLOORS = {
    "cli": 6, "report": 6,
    "app": 5,
    "engine": 4, "plan": 4,
    "manifest": 3,
    "backends": 2, "tasks": 2,
    "remote": 1, "state": 1,
    "model": 0,
}  # fmt: skip

BELOW_ON_ITS_FLOOR = {("engine", "plan"), ("cli", "report")}
"""Neighbours of which the first may look at the second."""

DOORS = {
    "networkx": {"plan"},
    "httpx": {"remote"},
    "httptools": {"remote"},
    "certifi": {"remote"},
    "tenacity": {"remote"},
    "yaml": {"manifest"},
    "pathspec": {"manifest"},
    "sqlite3": {"state", "emulator"},
    "filelock": {"state", "remote"},
    "rich": {"cli"},
    "aiohttp": {"emulator"},
    "python_multipart": {"emulator"},
    "cryptography": {"emulator", "remote"},
}


class Import(NamedTuple):
    """One import statement: the file, its room, and the dotted name it asks for."""

    file: Path
    room: str
    name: str

    @property
    def goal(self) -> str:
        """The room of the house it leads to, "" for a library."""
        parts = self.name.split(".")
        return parts[1] if parts[0] == "runner" and len(parts) > 1 else ""


def imports() -> Iterator[Import]:
    """Every import of the house, those inside functions too."""
    for file in sorted(HOUSE.rglob("*.py")):
        room = file.relative_to(HOUSE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (Import(file, room, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module == "runner":
                yield from (Import(file, room, f"runner.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield Import(file, room, node.module)


IMPORTS = list(imports())
WORDS_FOR_TYPES = {("model", "remote"), ("model", "state")}
"""model/task.py names the classes a task is handed, for the type checker alone."""


def typed_only(found: Import) -> bool:
    """Does the import stand under `if TYPE_CHECKING`?"""
    for node in ast.walk(ast.parse(found.file.read_text())):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            inside = {sub.module for sub in ast.walk(node) if isinstance(sub, ast.ImportFrom)}
            if found.name in inside:
                return True
    return False


def allowed(found: Import) -> bool:
    """May this room look into that one?"""
    here, there = found.room, found.goal
    if here == there or there in ("__version__", "__init__"):
        return True
    if (here, there) in WORDS_FOR_TYPES:
        return typed_only(found)
    if here == "cli" and there == "emulator":
        return True  # the verb that serves it
    if here not in FLOORS or there not in FLOORS:
        return False
    return FLOORS[there] < FLOORS[here] or (here, there) in BELOW_ON_ITS_FLOOR


def test_every_room_has_a_floor() -> None:
    rooms = {path.name.removesuffix(".py") for path in HOUSE.iterdir() if not path.name.startswith("__")}

    assert rooms - {"emulator"} == set(FLOORS)


def test_imports_look_down_only() -> None:
    inside = [found for found in IMPORTS if found.goal and found.room not in ("__main__", "__init__")]

    climbing = [f"{found.file.relative_to(HOUSE)}: {found.name}" for found in inside if not allowed(found)]

    assert climbing == []


def test_the_emulator_imports_nothing_of_the_house() -> None:
    names = {
        found.name for found in IMPORTS if found.room == "emulator" and found.goal not in ("", "emulator")
    }

    assert names == set()


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library: str) -> None:
    rooms = {found.room for found in IMPORTS if found.name.split(".")[0] == library}

    assert rooms <= DOORS[library]


def test_no_backend_knows_another_and_no_task_another() -> None:
    def door(found: Import) -> str:
        parts = found.file.relative_to(HOUSE).parts
        return parts[1].removesuffix(".py")

    strangers = [
        f"{found.file.relative_to(HOUSE)}: {found.name}"
        for found in IMPORTS
        if found.room in ("backends", "tasks")
        and found.goal == found.room
        and door(found) not in ("registry", "__init__", *found.name.split(".")[2:3])
        and found.name.split(".")[1:3] != ["tasks", "standing"]  # no task: what two of them ask
    ]

    assert strangers == []


def test_no_file_is_a_heap() -> None:
    heaps = [
        str(path.relative_to(HOUSE))
        for path in HOUSE.rglob("*.py")
        if len(path.read_text().splitlines()) > 400
    ]

    assert heaps == []


def test_no_file_is_a_drawer_for_anything() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc"}

    assert [str(path) for path in HOUSE.rglob("*.py") if path.stem in drawers] == []
