"""Runs as wholes: they reach what was declared, a plan is a run, and a second run has nothing to do."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.lab.worlds import World, contents, steps

from .trees import PLAIN, UNLIMITED, Nested, flat, trees, world

BY: list[dict[str, object]] = [
    {"algorithms": []},
    {"algorithms": ["md5"]},
    {"algorithms": ["sha256", "md5"]},
    {"mtime_ns": None},
]
kinds = st.sampled_from(BY)
modes = st.sampled_from(["mirror", "copy"])
compares = st.sampled_from(["auto", "hash", "time"])


def fill(here: World, source: Nested, destination: Nested) -> None:
    """Write both trees; their contents differ in time wherever they differ in bytes."""
    for name, tree, mtime_ns in (("src", source, 10**18), ("dst", destination, 10**18 + 10**10)):
        here.write(name, flat(tree), mtime_ns=mtime_ns)


def pair(mode: str, compare: str = "auto") -> dict[str, object]:
    """One pair without limits, for whole trees come and go here."""
    return World.ends(mode, checksum={"compare": compare}, guard=UNLIMITED)


@given(trees(), trees(), kinds, kinds, st.sampled_from(["auto", "hash"]))
@settings(deadline=None, max_examples=25)
def test_a_mirror_that_ends_well_is_the_source(
    source: Nested, destination: Nested, ours: dict[str, object], theirs: dict[str, object], compare: str
) -> None:
    with world() as here:
        here.fields = {"src": ours, "dst": theirs}
        fill(here, source, destination)
        before = here.nodes("src")

        ended = here.run(here.manifest({"job": {"pairs": [pair("mirror", compare)]}}))

        if ended.code == 0:
            assert here.files("dst") == here.files("src")
            assert here.folders("dst") == here.folders("src")
        assert here.nodes("src") == before
        assert here.trash("src") == {}


@given(trees(), trees(["a", "B", "\u00e9", "b", "~"]), st.sampled_from(["auto", "hash"]), kinds)
@settings(deadline=None, max_examples=25)
def test_a_mirror_on_a_place_that_folds_is_the_source_or_says_that_it_is_not(
    source: Nested, destination: Nested, compare: str, theirs: dict[str, object]
) -> None:
    with world() as here:
        here.fields = {"src": {}, "dst": {"folds": True, **theirs}}
        here.write("src", flat(source))
        there = flat(destination)
        if len({path.casefold() for path in there}) < len(there):
            there = {path: data for path, data in there.items() if path == path.lower()}
        there = {path: data for path, data in there.items() if all(p in there for p in above(path))}
        here.write("dst", there)

        ended = here.run(here.manifest({"job": {"pairs": [pair("mirror", compare)]}}))

        if ended.code == 0:
            assert here.files("dst") == here.files("src")
            assert here.folders("dst") == here.folders("src")
        assert set(contents(there).values()) <= kept(here)


def above(path: str) -> list[str]:
    """Every folder above it but the root."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def kept(here: World) -> set[bytes]:
    """All content at the destination, live or in the trash."""
    trashed = {data for some in here.trash("dst").values() for data in some if data is not None}
    return trashed | set(here.files("dst").values())


@given(trees(), trees())
@settings(deadline=None, max_examples=20)
def test_a_copy_that_ends_well_adds_the_source_and_takes_nothing_away(
    source: Nested, destination: Nested
) -> None:
    with world() as here:
        fill(here, source, destination)
        before = here.files("dst")

        ended = here.run(here.manifest({"job": {"pairs": [pair("copy")]}}))

        if ended.code == 0:
            assert here.files("dst") == {**before, **here.files("src")}
        assert set(before) <= set(here.files("dst"))
        assert set(before.values()) <= kept(here)


@given(trees(), trees(), modes, kinds, kinds, compares)
@settings(deadline=None, max_examples=25)
def test_a_second_run_plans_nothing(
    source: Nested,
    destination: Nested,
    mode: str,
    ours: dict[str, object],
    theirs: dict[str, object],
    compare: str,
) -> None:
    assume(compare != "time" or None not in (ours.get("mtime_ns", 1), theirs.get("mtime_ns", 1)))
    with world() as here:
        here.fields = {"src": ours, "dst": theirs}
        fill(here, source, destination)
        manifest = here.manifest({"job": {"pairs": [pair(mode, compare)]}})
        first = here.run(manifest)

        second = here.run(manifest)

        assert second.ops("upload", "done") == second.ops("mkdir") == second.ops("trash", "done") == []
        assert second.code == first.code


@given(trees(PLAIN), trees(PLAIN), modes, kinds)
@settings(deadline=None, max_examples=20)
def test_plan_then_apply_is_a_run(
    source: Nested, destination: Nested, mode: str, theirs: dict[str, object]
) -> None:
    with world() as one, world() as other:
        for here in (one, other):
            here.fields = {"dst": theirs}
            fill(here, source, destination)
        job = {"job": {"pairs": [pair(mode)]}}
        untouched = other.nodes("dst")

        ran = one.run(one.manifest(job))
        planned = other.plan(other.manifest(job), other.folder / "saved.plan")
        assert other.nodes("dst") == untouched
        applied = other.apply(planned.path)

        assert applied.code == ran.code
        assert steps(applied) == steps(ran)
        assert other.files("dst") == one.files("dst")
        assert other.folders("dst") == one.folders("dst")
        assert other.trash("dst") == one.trash("dst")
