"""Counting what is the same says no more and no less than looking at each file."""

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.checksum import Checksum
from runner.model.node import Node
from runner.model.nodes import Nodes
from runner.model.pair import Mode
from runner.model.path import fault, faulty, fold, fold_all
from runner.plan.alike import Alike
from runner.plan.decide import Compare, decide, facts
from runner.plan.expand import Expansion
from tests.lab.worlds import Ended, World

from .test_names import told_apart
from .test_runs import modes
from .trees import UNLIMITED, Nested, flat, trees, world

NAMES = ["a", "b", "A", "\u00e9", "~"]
SUMS = st.sampled_from([None, *(Checksum("md5", digest) for digest in "xy"), Checksum("sha256", "x")])
STEPS = st.sampled_from([1, 10, None])

nodes = st.lists(
    st.builds(
        Node,
        st.sampled_from(NAMES),
        st.just("file"),
        st.sampled_from([0, 1]),
        st.sampled_from([None, 5, 7]),
        SUMS,
    )
    | st.builds(Node, st.sampled_from(NAMES), st.sampled_from(["folder", "other"]), st.just(0)),
    max_size=5,
).map(Nodes.of)


@given(nodes, nodes, st.sampled_from(["copy", "mirror"]), st.sampled_from(["hash", "size", "time"]), STEPS)
@settings(deadline=None, max_examples=200)
def test_what_is_counted_as_the_same_is_what_the_rules_leave_as_it_is(
    ours: Nodes, theirs: Nodes, mode: Mode, compare: Compare, step_ns: int | None
) -> None:
    alike = Alike(mode, compare, timed=step_ns is not None)
    here, there = (
        {
            node.name: node.checksum.digest
            for node in side
            if node.checksum and node.checksum.algorithm == "md5"
        }
        for side in (ours, theirs)
    )

    names = set(alike.of(ours, theirs, here, there))

    left = set()
    for name in ours.stamps.keys() & theirs.stamps.keys():
        one, other = ours.node(name), theirs.node(name)
        verdict = decide(facts(one, other, mode, compare, step_ns))
        strange = "sha256" in (
            one.checksum and one.checksum.algorithm,
            other.checksum and other.checksum.algorithm,
        )
        near = (one.kind, compare) == ("file", "time") and one.mtime_ns != other.mtime_ns
        if verdict.sign == "=" and one.kind != "other" and not near and not (strange and compare == "hash"):
            left.add(name)
            assert one.kind == "folder" or verdict == alike.verdict
    assert names == left
    if alike.all(ours, theirs, proven=here == there and here.keys() == set(ours.files())):
        assert names == ours.stamps.keys() == theirs.stamps.keys()


def planned(here: World, mode: str, compare: str, *, each: bool) -> tuple[object, ...]:
    """A plan as far as anyone can see it."""
    more = {"case": "rename"} if here.fields["dst"].get("folds") else {}
    manifest = here.pair(mode, checksum={"compare": compare}, guard=UNLIMITED, **more)
    with mock.patch.object(Expansion, "each", each):
        ended: Ended = here.plan(manifest)
    return ended.code, ended.stages, ended.changes, ended.troubles, ended.found


@given(
    trees(),
    trees(),
    st.integers(0, 2),
    modes,
    st.sampled_from(["auto", "hash", "size", "time"]),
    st.booleans(),
)
@settings(deadline=None, max_examples=20)
def test_a_plan_is_the_same_whether_each_file_is_looked_at_or_not(
    source: Nested, destination: Nested, aged: int, mode: str, compare: str, folds: bool
) -> None:
    there: Nested = {**destination, **source}
    with world() as here:
        here.fields = {"dst": {"folds": folds}}
        here.write("src", flat(source))
        here.write("dst", flat(told_apart(there) if folds else there), mtime_ns=10**18 + aged)

        assert planned(here, mode, compare, each=False) == planned(here, mode, compare, each=True)


@given(
    st.sets(st.text(max_size=3) | st.sampled_from(["", ".", "..", "a/b", "\0", "\ud800", "a"]), max_size=4)
)
def test_names_are_judged_together_as_one_by_one(names: set[str]) -> None:
    assert faulty(names) == [name for name in names if fault(name)]
    assert fold_all(names) == [fold(name) for name in names]
