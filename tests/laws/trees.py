"""Random trees, small ones with hard names, and worlds that hold them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from tests.lab.worlds import World

NAMES = ["a", "a-b", "a.b", "b", "\u00e9", "e\u0301", "A", " ", "~", "\x01", "\U0001f40b"]
"""Each is in the way of some careless order: bytes, folders, composition, case, planes."""

PLAIN = ["a", "a-b", "a.b", "b", "~"]
"""Names that even a folding place can tell apart."""

UNLIMITED = {
    "source": {"empty": "allow"},
    "trash": {"max": "100%", "no_history": "allow"},
    "overwrite": {"max": "100%"},
}
"""The guard of a law in which whole trees come and go: it refuses nothing."""

Nested = dict[str, "Nested | str"]
"""A folder: its files' content and its folders by name."""


def trees(names: list[str] | None = None, *, depth: int = 2) -> st.SearchStrategy[Nested]:
    """Folders with a few names, some of them folders again."""
    name = st.sampled_from(names or NAMES)
    content = st.sampled_from(["", "x", "y", "xy"])
    node: st.SearchStrategy[Nested | str] = content
    for _ in range(depth):
        node = st.one_of(content, st.dictionaries(name, node, max_size=3))
    return st.dictionaries(name, node, max_size=4)


def flat(tree: Nested, above: str = "") -> dict[str, str | None]:
    """The same as content by path, in path order of a recursive walk; a folder comes before all it holds."""
    found: dict[str, str | None] = {}
    for name in sorted(tree):
        path, node = (f"{above}/{name}" if above else name), tree[name]
        found[path] = node if isinstance(node, str) else None
        if not isinstance(node, str):
            found |= flat(node, path)
    return found


@contextmanager
def world() -> Iterator[World]:
    """An empty world; hypothesis needs one for each example, and fixtures come once for a test."""
    with tempfile.TemporaryDirectory(prefix="acdrun-law-") as folder:
        here = World(Path(folder))
        try:
            yield here
        finally:
            here.forget()
