"""Laws run thousands of times, so their databases do not wait for the disk: a killed process, unlike a power
cut, loses nothing that it has handed to the system. Other tests get no share in this: it ends with each module.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.engine import early, reading
from runner.state.database import Database


@pytest.fixture(autouse=True, scope="module")
def eager() -> Iterator[None]:
    """Begin early wherever that may be, however small the trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(early, "WORTH_S", 0.0)
        patch.setattr(reading, "BATCH_ROWS", 1)
        yield


@pytest.fixture(autouse=True, scope="module")
def unsynced() -> Iterator[None]:
    """Open every database with `synchronous=OFF`."""
    whole = Database.__init__

    def quick(self: Database, path: Path, schema: str, version: int, **rest: Any) -> None:
        whole(self, path, schema, version, **{**rest, "synchronous": "OFF"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "__init__", quick)
        yield
