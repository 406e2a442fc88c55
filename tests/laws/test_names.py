"""`case: rename`: whatever trees meet where names fold, each source file has a place, and nothing is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.manifest.manifest import Manifest
from runner.model.path import fold, join, name, parent
from runner.plan.alias import alias
from tests.lab.worlds import World

from .test_runs import kept, kinds, modes
from .trees import UNLIMITED, Nested, flat, trees, world

HARD = ["a", "A", "b", "B", "\u00e9", "e\u0301", "\u00c9", "a.b", "~"]


def told_apart(tree: Nested) -> Nested:
    """The tree as a folding place can hold it: of names that fold alike, the last."""
    nodes = {fold(name): (name, node) for name, node in tree.items()}
    return {name: told_apart(node) if isinstance(node, dict) else node for name, node in nodes.values()}


def contents(tree: Nested) -> dict[str, str | None]:
    """Content by path; some is found at one path only, and some anywhere."""
    return {path: f"xy {path}" if data == "xy" else data for path, data in flat(tree).items()}


def open_handed(here: World, mode: str, compare: str = "auto") -> Manifest:
    """The pair's manifest: `case: rename`, and no limits."""
    return here.pair(mode, case="rename", checksum={"compare": compare}, guard=UNLIMITED)


def stored(here: World, path: str) -> list[bytes]:
    """What the destination has under this very path, or under its alias."""
    files = here.files("dst")
    return [files[one] for one in (path, join(parent(path), alias(name(path)))) if one in files]


def check(here: World, blocked: list[str]) -> None:
    """Every source file that is not blocked stands at its place or under its alias."""
    for path, data in here.files("src").items():
        if not any(fold(path) == fold(b) or fold(path).startswith(fold(b) + "/") for b in blocked):
            assert data in stored(here, path), path


@given(trees(HARD), trees(HARD), modes, kinds, st.sampled_from(["auto", "hash"]))
@settings(deadline=None, max_examples=20)
def test_every_file_has_a_place_and_the_second_run_plans_nothing(
    source: Nested, destination: Nested, mode: str, theirs: dict[str, object], compare: str
) -> None:
    with world() as here:
        here.fields = {"dst": {"folds": True, **theirs}}
        here.write("src", contents(source))
        here.write("dst", contents(told_apart(destination)), mtime_ns=10**18 + 10**10)
        before = set(here.files("dst").values())
        manifest = open_handed(here, mode, compare)

        first = here.run(manifest)
        second = here.run(manifest)

        assert first.code in (0, 3)
        check(here, [trouble.path for trouble in first.troubles])
        assert before <= kept(here)
        done = [c for c in second.changes if c.task not in ("hash", "barrier") and c.state == "done"]
        assert (done, second.code) == ([], first.code)


@given(st.lists(trees(HARD, depth=1), min_size=2, max_size=3), st.sampled_from(["mirror", "copy"]))
@settings(deadline=None, max_examples=8)
def test_twins_that_come_and_go_leave_nothing_behind_but_what_is_asked_for(
    history: list[Nested], mode: str
) -> None:
    with world() as here:
        here.fields = {"dst": {"folds": True}}
        seen: set[bytes] = set()
        for tree in history:
            here.tree("src").children = {"root": {}}
            here.write("src", contents(tree))
            manifest = open_handed(here, mode)
            for _ in range(2):
                ended = here.run(manifest)
                check(here, [trouble.path for trouble in ended.troubles])
            seen |= set(here.files("dst").values())
            assert seen <= kept(here)

        last = here.run(manifest)

        assert [c for c in last.changes if c.task != "barrier" and c.state == "done"] == []
        if mode == "mirror" and last.code == 0:
            assert len(here.files("dst")) == len(here.files("src"))
