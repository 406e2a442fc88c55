"""I5: killed at any commit and run again is as if it had never been killed; I1, I2 and I6 hold throughout."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.backend import Backend
from runner.model.errors import PlanStale
from tests.lab.worlds import Ended, Files, World, contents

from .killing import Guillotine, Killed, Mortal
from .trees import PLAIN, UNLIMITED, Nested, flat, trees, world

SOURCE: Files = {"a/x": "1", "a/y": "2", "a-b": "3", "b/c/d": "4", "same": "s", "empty": None, "r": "new"}
DESTINATION: Files = {
    "a/x": "0",
    "b/old": "5",
    "b/gone/x": "6",
    "gone": None,
    "same": "s",
    "z": "7",
    "r": "old",
}
UNDER_WAY = 4
"""Requests under way at once that suit the memory backend."""

STEPS = pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 3])
"""Every death in the long suite; in each run of the other one a third of them, before and after commits in turns."""


class Trial:
    """One life and death: what has to hold however it is cut."""

    def __init__(self, here: World, mode: str) -> None:
        self.here, self.mode = here, mode
        self.source = here.nodes("src")
        self.wanted = here.files("src")
        self.before = here.files("dst")
        self.sent_before = len(here.tree("dst").contents)
        self.early: list[str] = []

    def mortal(self, guillotine: Guillotine) -> Callable[[str, Backend], Backend]:
        """Puts the guillotine over every backend, and looks on at what the destination is told to trash."""

        def looks_on(path: str) -> None:
            if not self.wanted.items() <= self.here.files("dst").items():
                self.early.append(path)

        return lambda name, inner: Mortal(inner, guillotine, looks_on if name == "dst" else None)

    def live(self, number: int, *, after: bool, act: Callable[[], Ended]) -> Ended | None:
        """Act under the guillotine; None when it fell."""
        guillotine = Guillotine(number, after=after)
        self.here.wrap = self.mortal(guillotine)
        try:
            with guillotine.up():
                ended = act()
        except Killed:
            return None
        assert not guillotine.dead, "the death was swallowed"
        return ended

    def check_all_along(self) -> None:
        """What holds at every moment."""
        everything = {d for some in self.here.trash("dst").values() for d in some}
        everything |= set(self.here.files("dst").values())
        assert set(self.before.values()) <= everything, "I1: content was lost"
        assert self.here.nodes("src") == self.source and not self.here.trash("src"), (
            "I2: the source was changed"
        )
        assert self.early == [], "I6: trashed while an upload was missing"

    def check_end(self, ended: Ended) -> None:
        """What holds in the end."""
        self.check_all_along()
        final = self.here.files("dst")
        assert ended.code == 0
        assert final == (self.wanted if self.mode == "mirror" else {**self.before, **self.wanted})
        if self.mode == "mirror":
            assert self.here.folders("dst") == self.here.folders("src")
        sent = len(self.here.tree("dst").contents) - self.sent_before
        missing = len([path for path, data in self.wanted.items() if self.before.get(path) != data])
        assert sent <= missing + UNDER_WAY, "I5: sent again what was there"


def fresh(here: World, source: Files, destination: Files) -> None:
    """Write both sides."""
    here.write("src", source)
    here.write("dst", destination, mtime_ns=10**18 + 10**10)


def deaths() -> Iterator[tuple[int, bool]]:
    """Every commit, before and after it."""
    return ((number, after) for number in itertools.count(1) for after in (False, True))


@pytest.mark.torture
@STEPS
@pytest.mark.parametrize(
    ("first", "mode", "algorithms", "copies"),
    [
        (0, "mirror", ["md5"], False),
        (1, "mirror", [], False),
        (2, "copy", ["md5"], False),
        (0, "mirror", [], True),
    ],
)
def test_P2_P3_P6_P9_a_run_killed_at_any_commit_and_run_again_was_never_killed(
    first: int, mode: str, algorithms: list[str], copies: bool, step: int
) -> None:
    for number, after in islice(deaths(), first % step, None, step):
        with world() as here:
            here.fields = {name: {"algorithms": algorithms, "copies": copies} for name in ("src", "dst")}
            fresh(here, SOURCE, DESTINATION)
            trial = Trial(here, mode)
            manifest = here.pair(mode, checksum={"compare": "hash"})

            untouched = trial.live(number, after=after, act=partial(here.run, manifest))

            trial.check_all_along()
            here.wrap = trial.mortal(Guillotine(10**9, after=False))
            trial.check_end(untouched or here.run(manifest))
        if untouched:
            assert number > 10
            break


@pytest.mark.torture
@STEPS
@pytest.mark.parametrize("folds", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_P2_P3_P6_P9_an_applied_plan_killed_at_any_commit_and_applied_again_was_never_killed(
    folds: bool, step: int
) -> None:
    respelled, spelled = {"Case": "c", "F/G/in": "i"}, {"case": "c", "f/g/in": "i"}
    for number, after in islice(deaths(), 0, None, step):
        with world() as here:
            here.fields = {"dst": {"folds": folds}}
            source = {**SOURCE, **respelled} if folds else SOURCE
            destination = {**DESTINATION, **spelled} if folds else DESTINATION
            fresh(here, source, destination)
            trial = Trial(here, "mirror")
            plan = here.plan(out=here.folder / "saved.plan").path

            untouched = trial.live(number, after=after, act=partial(here.apply, plan))

            trial.check_all_along()
            here.wrap = trial.mortal(Guillotine(10**9, after=False))
            trial.check_end(untouched or applied_again(here, plan))
        if untouched:
            assert number > 10
            break


def applied_again(here: World, plan: Path) -> Ended:
    """Apply once more; a plan that was killed after its last commit has ended already, and says how."""
    try:
        return here.apply(plan)
    except PlanStale as error:
        assert error.message.endswith("it ended with exit code 0")
        return here.run()


@pytest.mark.torture
@given(
    trees(PLAIN), trees(PLAIN), st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=3)
)
@settings(deadline=None, max_examples=25)
def test_P2_P3_P6_P9_a_run_killed_again_and_again_ends_as_if_never_killed(
    source: Nested, destination: Nested, cuts: list[tuple[int, bool]]
) -> None:
    with world() as here:
        theirs = {p: d for p, d in flat(destination).items() if fits(p, d, flat(source))}
        fresh(here, flat(source), theirs)
        trial = Trial(here, "mirror")
        manifest = here.pair("mirror", guard=UNLIMITED)

        for number, after in cuts:
            trial.live(number, after=after, act=partial(here.run, manifest))
            trial.check_all_along()
        here.wrap = lambda name, inner: inner

        ended = here.run(manifest)
        assert ended.code == 0
        assert here.files("dst") == contents(flat(source))
        assert here.folders("dst") == here.folders("src")


def fits(path: str, data: str | None, source: dict[str, str | None]) -> bool:
    """No file stands here where a folder stands there, on no level."""
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(1, len(parts))]
    clash = path in source and (source[path] is None) != (data is None)
    return not clash and all(source.get(one) is None for one in above)
