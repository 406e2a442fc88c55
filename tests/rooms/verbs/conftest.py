"""A folder with something to look at, and remotes in memory and on disk that a manifest declares."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rooms.cli.conftest import Acdrun, acdrun, place

__all__ = ["acdrun", "place"]

Declared = Callable[..., None]


@pytest.fixture
def remotes(place: Path) -> str:
    """`-f` with a manifest that declares `mem:` (memory) and `disk:` (the folder `disk`)."""
    text = (
        "version: 1\nname: places\nremotes:\n"
        f"  mem: {{ type: memory, store: {uuid.uuid4().hex} }}\n"
        "  disk: { type: local, path: disk }\n"
        "jobs: { none: { before: [\"true\"] } }\n"
    )  # fmt: skip
    (place / "places.yaml").write_text(text)
    (place / "disk").mkdir()
    return "places.yaml"


@pytest.fixture
def mem(acdrun: Acdrun, remotes: str) -> Acdrun:
    """The command line with these remotes declared: the first word is the verb."""
    return lambda verb, *words: acdrun(verb, "-f", remotes, *words)
