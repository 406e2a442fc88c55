"""Undo as a whole: the destination is what it was, however hard the trees, wherever the run or the undo is killed."""

import itertools
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.errors import NotFound
from tests.lab.worlds import Ended, Files, World

from .killing import Guillotine, Killed, Mortal
from .test_killed import fresh
from .test_runs import fill, kinds, pair
from .trees import PLAIN, Nested, trees, world

SOURCE: Files = {"a/x": "1", "b/c": "4", "r": "new", "Case": "c"}
DESTINATION: Files = {
    "a/x": "0",
    "b/old": "5",
    "b/gone/x": "6",
    "gone": None,
    "same": "s",
    "r": "old",
    "case": "c",
}


def stands(here: World) -> tuple[dict[str, bytes], set[str]]:
    """Files and folders of the destination."""
    return here.files("dst"), here.folders("dst")


@given(trees(), trees(), kinds, st.sampled_from(["auto", "hash"]))
@settings(deadline=None, max_examples=20)
def test_a_mirror_that_is_undone_has_not_been(
    source: Nested, destination: Nested, theirs: dict[str, object], compare: str
) -> None:
    with world() as here:
        here.fields = {"dst": theirs}
        fill(here, source, destination)
        before, nodes = stands(here), here.nodes("src")
        ran = here.run(here.manifest({"job": {"pairs": [pair("mirror", compare)]}}))

        ended = here.undo(ran, created=True, max_trash=1000)
        again = here.undo(ran, created=True, max_trash=1000)

        assert ended.code == again.code == 0
        assert stands(here) == before
        assert here.nodes("src") == nodes
        assert {change.state for change in again.changes} <= {"same"}


@given(trees(PLAIN), trees(PLAIN))
@settings(deadline=None, max_examples=10)
def test_an_undo_that_is_undone_has_not_been(source: Nested, destination: Nested) -> None:
    with world() as here:
        fill(here, source, destination)
        ran = here.run(here.manifest({"job": {"pairs": [pair("mirror")]}}))
        after = stands(here)
        undone = here.undo(ran, created=True, max_trash=1000)

        ended = here.undo(undone, created=True, max_trash=1000)

        assert ended.code == 0
        assert stands(here) == after


def live(here: World, number: int, *, after: bool, act: "partial[Ended]") -> Ended | None:
    """Act under the guillotine; None when it fell. Afterwards nothing is mortal."""
    guillotine = Guillotine(number, after=after)
    here.wrap = lambda name, inner: Mortal(inner, guillotine)
    try:
        with guillotine.up():
            return act()
    except Killed:
        return None
    finally:
        here.wrap = lambda name, inner: inner


def all_content(here: World) -> set[bytes]:
    """All content of files at the destination, live or in the trash."""
    trashed = {data for some in here.trash("dst").values() for data in some if data is not None}
    return trashed | set(here.files("dst").values())


@pytest.mark.torture
def test_p_an_undo_killed_at_any_commit_and_run_again_was_never_killed() -> None:
    for number in itertools.count(1):
        with world() as here:
            here.fields = {"dst": {"folds": True}}
            fresh(here, SOURCE, DESTINATION)
            before = stands(here)
            ran = here.run(here.manifest({"job": {"pairs": [pair("mirror")]}}))
            content = all_content(here)

            untouched = live(
                here, number, after=False, act=partial(here.undo, ran, created=True, max_trash=99)
            )

            assert content <= all_content(here), "I1: content was lost"
            ended = untouched or here.undo(ran, created=True, max_trash=99)
            assert ended.code == 0
            assert stands(here) == before
        if untouched:
            assert number > 10
            break


@pytest.mark.torture
@given(trees(PLAIN), trees(PLAIN), st.integers(1, 30), st.booleans())
@settings(deadline=None, max_examples=15)
def test_p_a_run_killed_anywhere_can_be_undone(
    source: Nested, destination: Nested, number: int, after: bool
) -> None:
    with world() as here:
        fill(here, source, destination)
        before = stands(here)
        manifest = here.manifest({"job": {"pairs": [pair("mirror")]}})
        live(here, number, after=after, act=partial(here.run, manifest))

        try:
            code = int(here.undo_run("last", created=True, max_trash=1000).code)
        except NotFound:  # it died before it had a journal
            code = 0

        assert code == 0
        assert stands(here) == before
