"""Renames: whatever was renamed, the mirror becomes the source, sends only what it lacks, and loses nothing."""

import itertools
from collections import Counter
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.errors import PlanStale
from tests.lab.worlds import Files, contents

from .killing import Guillotine
from .test_killed import Trial, deaths, fits, fresh
from .trees import PLAIN, UNLIMITED, Nested, flat, trees, world

KINDS: list[dict[str, object]] = [{"algorithms": []}, {"algorithms": ["md5"]}, {"mtime_ns": None}]
kinds = st.sampled_from(KINDS)
compares = st.sampled_from(["auto", "hash", "size"])
numbers = st.integers(0, 100)
places = st.sampled_from(["a", "b/a", "n", "n/a", "n/b/~", "a-b", "z/z"])


def renamed(files: dict[str, str | None], changes: list[tuple[int, str]]) -> dict[str, str | None]:
    """The tree after some of its files and folders were renamed, wherever the new place was free."""
    for number, new in changes:
        if not files:
            break
        old = sorted(files)[number % len(files)]
        inside = {path for path in files if path == old or path.startswith(old + "/")}
        rest = {path: data for path, data in files.items() if path not in inside}
        moved = {new + path.removeprefix(old): files[path] for path in inside}
        clash = any(path == new or path.startswith(new + "/") for path in rest)
        above = ["/".join(new.split("/")[:end]) for end in range(1, new.count("/") + 1)]
        if not clash and all(rest.get(folder) is None for folder in above):
            files = {**rest, **dict.fromkeys(above), **moved}
    return files


def to_send(source: Files, destination: Files) -> int:
    """Uploads that no move can save: files that replace another content, and new ones of whose content more are
    needed than there are to take; empty files are always sent.
    """
    ours, theirs = contents(source), contents(destination)
    changed = sum(path in theirs and theirs[path] != data for path, data in ours.items())
    new = Counter(data for path, data in ours.items() if path not in theirs)
    free = Counter(data for path, data in theirs.items() if path not in ours and data)
    return changed + (new - free).total()


@given(trees(PLAIN), st.lists(st.tuples(numbers, places), max_size=4), trees(PLAIN), kinds, kinds, compares)
@settings(deadline=None, max_examples=30)
def test_a_mirror_after_renames_is_the_source_and_was_sent_no_more_than_it_lacked(
    tree: Nested,
    changes: list[tuple[int, str]],
    more: Nested,
    ours: dict[str, object],
    theirs: dict[str, object],
    compare: str,
) -> None:
    source = renamed(flat(tree), changes)
    added = {path: data for path, data in flat(more).items() if fits(path, data, source)}
    there = {path: data for path, data in {**added, **flat(tree)}.items() if fits(path, data, source)}
    there = {path: data for path, data in there.items() if all(there.get(a) is None for a in above(path))}
    with world() as here:
        here.fields = {"src": ours, "dst": theirs}
        fresh(here, source, there)
        before = here.files("dst")
        manifest = here.pair("mirror", checksum={"compare": compare}, guard=UNLIMITED)

        ended, again = here.run(manifest), here.run(manifest)

        assert ended.code == again.code == 0
        assert here.folders("dst") == here.folders("src")
        if compare != "size" and (ours.get("algorithms"), theirs.get("algorithms")) != ([], []):
            assert here.files("dst") == here.files("src")
        trashed = {data for some in here.trash("dst").values() for data in some}
        assert set(before.values()) <= trashed | set(here.files("dst").values())
        assert again.ops("move") == again.ops("upload", "done") == again.ops("trash") == []
        if theirs.get("algorithms") != [] and compare == "hash":
            assert len(ended.ops("upload", "done")) == to_send(source, there)


def above(path: str) -> list[str]:
    """Every folder above it but the root."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


SOURCE: Files = {"2016/a/x": "1", "2016/y": "2", "3": "3", "new": "n", "same": "s", "r": "R"}
DESTINATION: Files = {"2015/a/x": "1", "2015/y": "2", "2015/z": "3", "gone": "g", "same": "s", "r": "o"}


class Renaming(Trial):
    """A life and death with renames, whose content may be nowhere but where it was or where it goes."""

    def check_all_along(self) -> None:
        """Nothing that was renamed is ever in the trash."""
        super().check_all_along()
        trashed = {data for some in self.here.trash("dst").values() for data in some}
        assert not trashed & {b"1", b"2", b"3"}


@pytest.mark.slow
@pytest.mark.torture
def test_p_a_run_with_renames_killed_at_any_commit_and_run_again_was_never_killed() -> None:
    for number, after in deaths():
        with world() as here:
            here.fields = {"src": {"algorithms": []}}
            fresh(here, SOURCE, DESTINATION)
            trial = Renaming(here, "mirror")
            manifest = here.pair("mirror", checksum={"compare": "hash"})

            untouched = trial.live(number, after=after, act=partial(here.run, manifest))

            trial.check_all_along()
            here.wrap = trial.mortal(Guillotine(10**9, after=False))
            trial.check_end(untouched or here.run(manifest))
            assert len(here.tree("dst").contents) - trial.sent_before == 2, "a renamed file was sent"
        if untouched:
            assert number > 10
            break


@pytest.mark.slow
@pytest.mark.torture
def test_p_a_plan_with_renames_killed_at_any_commit_and_applied_again_was_never_killed() -> None:
    for number, after in itertools.islice(deaths(), 400):
        with world() as here:
            fresh(here, SOURCE, DESTINATION)
            trial = Renaming(here, "mirror")
            plan = here.plan(out=here.folder / "saved.plan").path

            untouched = trial.live(number, after=after, act=partial(here.apply, plan))

            trial.check_all_along()
            here.wrap = trial.mortal(Guillotine(10**9, after=False))
            try:
                trial.check_end(untouched or here.apply(plan))
            except PlanStale:
                trial.check_end(here.run())
        if untouched:
            assert number > 10
            return
    raise AssertionError("it never lived to its end")
