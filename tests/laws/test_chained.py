"""Chained jobs: what a plan foretells of the later one is what the run does, and applying the plan is a run."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from runner.backends.memory_keys import _STORES, Keys, KeysConfig, Store
from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.errors import PlanStale
from tests.lab.worlds import Ended, World, steps

from .killing import Guillotine, Killed, Mortal
from .trees import PLAIN, UNLIMITED, Nested, flat, trees, world

KINDS: list[dict[str, object]] = [
    {"algorithms": []},
    {"algorithms": ["md5"]},
    {"algorithms": ["sha256"]},
    {"mtime_ns": None},
    {"mtime_ns": 1_000_000_000},
]
WRITES = ("mkdir", "respell", "move", "upload", "trash", "barrier")

KEYS: list[dict[str, object]] = [{"type": "memory keys"}, {"type": "memory keys", "algorithms": []}]

kinds = st.sampled_from(KINDS)
between = st.sampled_from([*KINDS, *KEYS, {"folds": True}, {"folds": True, "algorithms": []}])
spelled = st.one_of(trees(PLAIN), trees(["A", "a-B", "a.b", "B", "~"]))
"""The second alphabet is the first one in other letters: a place that folds takes them for the same."""
modes = st.sampled_from(["mirror", "copy"])
compares = st.sampled_from(["auto", "hash", "size", "time"])
places = st.sampled_from(
    [("mid:", "mid:"), ("mid:in/deep", "mid:in"), ("mid:in", "mid:in/a"), ("mid:new", "mid:new")]
)
"""Where the first job writes, and where the second one reads: there, above, below, and where nothing is yet."""


def fill(here: World, source: Nested, middle: Nested, last: Nested) -> None:
    """Write all trees. Times are whole seconds and odd, so that a place with a coarse clock keeps them."""
    for number, (name, tree) in enumerate(
        (("src", source), ("mid", {**middle, "in": middle}), ("dst", last))
    ):
        if here.fields[name].get("type"):
            _put(here, name, flat(tree))
        else:
            here.write(name, flat(tree), mtime_ns=10**18 + number * 10**10)


def _put(here: World, name: str, files: dict[str, str | None]) -> None:
    """Objects, in a store of keys."""
    fields = {"store": f"{here.tag}-{name}", **here.fields[name]}
    store = _STORES.setdefault(f"{here.tag}-{name}", Store())
    keys = Keys(KeysConfig.model_validate(fields), store)
    for path, text in files.items():
        if text is not None:
            asyncio.run(keys.put(path, Content.of(text.encode(), mtime_ns=10**18), expect=None))


def held(here: World, name: str) -> tuple[object, ...]:
    """What a place holds in the end, and what its trash does."""
    store = _STORES.get(f"{here.tag}-{name}")
    if store is None:
        return here.files(name), here.folders(name), here.trash(name)
    live = {key: store.contents[node.generation] for key, node in store.objects.items()}
    trashed = [(path, key, store.contents[node.generation])
               for path, objects in store.trashed.values() for key, node in objects.items()]  # fmt: skip
    return live, sorted(trashed)


def chain(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two jobs, the second after the first."""
    return {"one": {"pairs": [first]}, "two": {"needs": ["one"], "pairs": [second]}}


def pair(mode: str, source: str, destination: str, compare: str) -> dict[str, Any]:
    """A pair without limits, for whole trees come and go here."""
    return World.ends(
        mode, source=source, destination=destination, checksum={"compare": compare}, guard=UNLIMITED
    )


def intended(ended: Ended) -> list[tuple[str, str, str, int, str, bool]]:
    """What was to be written, whatever has become of it; what was found unneeded is left out."""
    return sorted(
        (c.pair, c.task, c.path, c.size, c.origin, c.replaces)
        for c in ended.changes
        if c.task in WRITES and c.state != "same"
    )


def done(ended: Ended) -> list[tuple[str, str, str]]:
    """What had an effect, or failed."""
    return [step for step in steps(ended) if step[2] != "same"]


@given(
    trees(PLAIN), spelled, trees(PLAIN), st.tuples(modes, modes), st.tuples(kinds, between, kinds),
    st.tuples(compares, compares), places,
)  # fmt: skip
@example({}, {"a": {}}, {"a": ""}, ("mirror", "mirror"), ({},) * 3, ("auto", "auto"), ("mid:in", "mid:in/a"))
@settings(deadline=None, max_examples=25)
def test_the_plan_of_a_chain_is_what_its_run_does(
    source: Nested,
    middle: Nested,
    last: Nested,
    mode: tuple[str, str],
    kind: tuple[dict[str, object], ...],
    compare: tuple[str, str],
    place: tuple[str, str],
) -> None:
    with world() as here, world() as other:
        for one in (here, other):
            one.fields = dict(zip(("src", "mid", "dst"), kind, strict=True))
            fill(one, source, middle, last)
        timed = [fields.get("mtime_ns", 1) is not None for fields in kind]
        assume(compare[0] != "time" or (timed[0] and timed[1]))
        assume(compare[1] != "time" or (timed[1] and timed[2]))
        assume(timed[0] or not timed[1])  # nobody can foretell when a file will have been written
        jobs = chain(pair(mode[0], "src:", place[0], compare[0]), pair(mode[1], place[1], "dst:", compare[1]))

        planned = here.plan(here.manifest(jobs), here.folder / "saved.plan")
        ran = other.run(other.manifest(jobs))
        assert intended(planned) == intended(ran)
        assert planned.code == ran.code or (planned.code, ran.code) == (0, 3)
        if planned.path.suffix == ".plan":
            applied = here.apply(planned.path)
            assert applied.code == ran.code
            assert done(applied) == done(ran)
        else:
            here.run(here.manifest(jobs))

        for name in ("mid", "dst"):
            assert held(here, name) == held(other, name)


@pytest.mark.torture
def test_P2_P6_a_chain_that_is_killed_and_applied_again_was_never_killed(tmp_path: Path) -> None:
    number, over = 1, False
    while not over:
        here = World(tmp_path / str(number))
        here.fields["mid"] = {}
        here.write("src", {"a/x": "1", "b": "2"})
        here.write("mid", {"b": "old", "gone": "0"})
        here.write("dst", {"gone": "0"})
        plan = here.plan(here.manifest(chain(World.ends(destination="mid:"), World.ends(source="mid:"))),
                         here.folder / "saved.plan")  # fmt: skip
        guillotine = Guillotine(number, after=number % 2 == 0)
        here.wrap = partial(_mortal, guillotine)
        try:
            with guillotine.up():
                assert here.apply(plan.path).code == 0
            over = True
        except Killed:
            here.wrap = lambda name, inner: inner
            with suppress(PlanStale):  # it had ended
                assert here.apply(plan.path).code == 0

        assert here.files("dst") == here.files("mid") == here.files("src")
        assert here.trash("dst") == {"gone": [b"0"]}
        here.forget()
        number += 5
    assert number > 30


def _mortal(guillotine: Guillotine, name: str, inner: Backend) -> Backend:
    return Mortal(inner, guillotine)
