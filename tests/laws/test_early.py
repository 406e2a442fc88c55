"""A run that begins early comes to what it would have come to had it waited, wherever it fails or dies."""

from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.engine.ahead import Ahead
from runner.model.limits import checks_of
from runner.model.pair import Pair
from runner.model.policy import GuardPolicy
from runner.model.tally import Amount, Seen, Tally
from tests.lab import Fault
from tests.lab.worlds import Ended, World, contents

from .killing import Guillotine
from .test_killed import Trial, deaths
from .trees import PLAIN, Nested, flat, trees, world

MODES = st.sampled_from(["mirror", "copy"])
FIRST = {"a/x": "1", "a/y": "2", "b/c": "3", "r": "4"}
amounts = st.builds(Amount, st.integers(0, 300), st.integers(0, 3000))
shares = st.sampled_from([0.0, 0.1, 0.5, 1.0])
limits = st.builds(
    lambda least, shrunk, share, always, empty: GuardPolicy.model_validate(
        {
            "source": {"min_files": least, "empty": empty},
            "shrink": {"max": f"{shrunk:.0%}", "always": always},
            "overwrite": {"max": f"{share:.0%}", "always": always},
            "trash": {"max": f"{share:.0%}", "always": always},
        }
    ),
    st.integers(0, 200), shares, shares, st.integers(0, 50), st.sampled_from(["refuse", "allow"]),
)  # fmt: skip


class Begun:
    """Which pairs began early. may: whether any is let."""

    def __init__(self, *, may: bool) -> None:
        self.pairs: list[str] = []
        self._may = may

    def __enter__(self) -> "Begun":
        open_ = Ahead.open

        def opened(ahead: Ahead) -> None:
            if self._may:
                open_(ahead)
                self.pairs += [early.pair for early in ahead._early.values() if early.begun]

        self._patch = mock.patch.object(Ahead, "open", opened)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


def account(here: World, ended: Ended) -> dict[str, Any]:
    """What a run says of itself, but for what no two runs share."""
    return {
        "code": ended.code,
        "changes": sorted(change._replace(ref="", note="") for change in ended.changes),
        "troubles": sorted((t.task, t.path, t.kind) for t in ended.troubles),
        "checks": [
            (check.limit, check.level, check.text.replace(str(here.folder), ""))
            for check in ended.checks("job")
        ],
        "stages": [(stage.task, stage.side, stage.amounts) for stage in ended.stages],
    }


@given(
    trees(PLAIN),
    trees(PLAIN),
    st.sampled_from(["nothing", "a part", "anything"]),
    MODES,
    st.sampled_from([{}, {"folds": True}, {"copies": True}, {"algorithms": []}]),
    st.lists(
        st.tuples(st.sampled_from(["put", "mkdir"]), st.sampled_from(["a", "b", "a/a", "a/b"])), max_size=2
    ),
)
@settings(deadline=None, max_examples=25)
def test_a_run_that_begins_early_comes_to_the_same(
    source: Nested,
    destination: Nested,
    there: str,
    mode: str,
    fields: dict[str, object],
    faults: list[tuple[Any, str]],
) -> None:
    found = []
    for may in (True, False):
        with world() as here, Begun(may=may):
            here.fields = {"src": {"copies": bool(fields.get("copies"))}, "dst": fields}
            here.faults["dst"] = tuple(Fault(verb, 0, path=path) for verb, path in faults)
            here.write("src", flat(source))
            if there != "nothing":
                theirs = flat(destination) if there == "anything" else dict(list(flat(source).items())[:2])
                here.write("dst", theirs)
            ended = here.run(here.pair(mode))
            found.append(
                (account(here, ended), here.files("dst"), here.folders("dst"), list(here.trash("dst")))
            )

    assert found[0] == found[1]


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_first_copy_that_is_killed_at_any_commit_and_run_again_was_never_killed(step: int) -> None:
    for number, after in islice(deaths(), 0, None, step):
        with world() as here, Begun(may=True) as begun:
            here.write("src", FIRST)
            trial = Trial(here, "mirror")
            manifest = here.pair("mirror")

            untouched = trial.live(number, after=after, act=partial(here.run, manifest))

            trial.check_all_along()
            here.wrap = trial.mortal(Guillotine(10**9, after=False))
            trial.check_end(untouched or here.run(manifest))
        if untouched:
            assert number > 10
            assert begun.pairs
            break


@given(trees(PLAIN), st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=3))
@settings(deadline=None, max_examples=10)
def test_a_first_copy_killed_again_and_again_ends_as_if_never_killed(
    source: Nested, cuts: list[tuple[int, bool]]
) -> None:
    with world() as here:
        here.write("src", flat(source))
        trial = Trial(here, "mirror")
        manifest = here.pair("mirror", guard={"source": {"empty": "allow"}})

        for number, after in cuts:
            trial.live(number, after=after, act=partial(here.run, manifest))
            trial.check_all_along()
        here.wrap = lambda name, inner: inner

        assert here.run(manifest).code == 0
        assert here.files("dst") == contents(flat(source))
        assert here.folders("dst") == here.folders("src")


@given(
    limits,
    st.none() | st.builds(Seen, st.just("r"), st.just(0.0), st.sampled_from(["x", ""]), amounts, amounts),
    st.builds(Tally, amounts, amounts, amounts, gaps=st.integers(0, 2)),
    amounts,
    amounts,
    st.integers(0, 2),
)
@settings(max_examples=200)
def test_what_no_limit_minds_so_far_none_minds_when_the_source_shows_more(
    guard: GuardPolicy, last: Seen | None, tally: Tally, more: Amount, new: Amount, gaps: int
) -> None:
    pair = replace(plain_pair(), guard=guard)
    last = last and last._replace(filter=last.filter or pair.filter.digest)
    grown = tally._replace(
        source=tally.source.plus(*more), create=tally.create.plus(*new), gaps=tally.gaps + gaps
    )

    if tally.source.number and not refusals(pair, tally, last):
        assert not refusals(pair, grown, last)


def refusals(pair: Pair, tally: Tally, last: Seen | None) -> list[str]:
    """The limits that refuse."""
    return [check.limit for check in checks_of(pair, tally, last) if check.level == "refused"]


@cache
def plain_pair() -> Pair:
    """Of a manifest that says nothing of its guard."""
    with world() as here:
        (pair,) = here.pair().pairs
    return pair
