"""Path order and the merge join, against walking a tree and joining dictionaries."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.errors import Disordered
from runner.model.node import Folder, Node
from runner.model.nodes import NONE, Nodes
from runner.model.path import fold, folded_order, order
from runner.plan.alias import alias, told_apart
from runner.plan.match import Pairing, match, pair_names

from .trees import NAMES, flat, trees

paths = st.lists(st.sampled_from(NAMES), max_size=3).map("/".join)
names = st.lists(st.sampled_from([*NAMES, "B", "\u00c9"]), max_size=6, unique=True)


async def stream(folders: Sequence[str]) -> AsyncIterator[Folder]:
    """A listing of these folders, as they come."""
    for path in folders:
        yield Folder(path, NONE)


def matched(
    source: Sequence[str], destination: Sequence[str], *, folded: bool = False
) -> list[tuple[str | None, str | None]]:
    """The folders that were paired, by their paths."""

    async def gather() -> list[tuple[str | None, str | None]]:
        pairs = match(stream(source), stream(destination), folded=folded)
        return [(ours and ours.path, theirs and theirs.path) async for ours, theirs in pairs]

    return asyncio.run(gather())


@given(trees(depth=3))
@settings(deadline=None, max_examples=150)
def test_path_order_is_the_order_of_a_walk(tree: dict[str, object]) -> None:
    walked = list(flat(tree))  # type: ignore[arg-type]

    assert sorted(set(walked), key=order) == walked


@given(st.sets(paths), st.sets(paths))
@settings(deadline=None, max_examples=150)
def test_match_is_a_join_of_dictionaries(source: set[str], destination: set[str]) -> None:
    joined = [
        (path if path in source else None, path if path in destination else None)
        for path in sorted(source | destination, key=order)
    ]

    assert matched(sorted(source, key=order), sorted(destination, key=order)) == joined


SPELLINGS = [{fold(name): name for name in listed} for listed in (NAMES, NAMES[::-1])]
"""One spelling of each name for either side."""


def spelled(listed: set[str], side: int) -> dict[str, str]:
    """The paths in the side's spelling, by what they fold to, in folded path order."""
    same = ("/".join(SPELLINGS[side][fold(part)] for part in order(path)) for path in listed)
    return {fold(path): path for path in sorted(set(same), key=folded_order)}


@given(st.sets(paths), st.sets(paths))
@settings(deadline=None, max_examples=150)
def test_where_names_fold_folders_meet_whose_paths_fold_alike(
    source: set[str], destination: set[str]
) -> None:
    ours, theirs = spelled(source, 0), spelled(destination, 1)
    joined = [(ours.get(path), theirs.get(path)) for path in sorted(ours.keys() | theirs.keys(), key=order)]

    assert matched([*ours.values()], [*theirs.values()], folded=True) == joined


@given(st.sets(paths), st.sets(paths))
@settings(deadline=None, max_examples=150)
def test_every_folder_is_seen_once_though_several_fold_alike(source: set[str], destination: set[str]) -> None:
    found = matched(sorted(source, key=folded_order), sorted(destination, key=folded_order), folded=True)

    assert sorted(ours for ours, _ in found if ours is not None) == sorted(source)
    assert sorted(theirs for _, theirs in found if theirs is not None) == sorted(destination)
    both = [(ours, theirs) for ours, theirs in found if ours is not None and theirs is not None]
    assert all(fold(ours) == fold(theirs) for ours, theirs in both)


@given(st.lists(paths, min_size=2, max_size=6), st.sets(paths), st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_listing_that_goes_backwards_or_repeats_is_disordered(
    listed: list[str], other: set[str], left: bool
) -> None:
    fine, other_side = sorted(set(listed), key=order) == listed, sorted(other, key=order)
    sides = (listed, other_side) if left else (other_side, listed)

    if fine:
        assert len(matched(*sides)) == len(set(listed) | other)
    else:
        with pytest.raises(Disordered):
            matched(*sides)


def slow_join(source: list[str], destination: list[str], *, folds: bool) -> list[tuple[str, str]]:
    """Exact partners first, then folded ones among what is left, by trying every two."""
    left, right = list(source), list(destination)
    found = [(name, name) for name in source if name in destination]
    for name, _ in found:
        left.remove(name)
        right.remove(name)
    if folds:
        for ours in list(left):
            partner = next((theirs for theirs in right if fold(theirs) == fold(ours)), None)
            if partner is not None:
                found.append((ours, partner))
                left.remove(ours)
                right.remove(partner)
    return sorted([*found, *((name, "") for name in left), *(("", name) for name in right)])


def without_twins(listed: list[str]) -> list[str]:
    """As a place that folds would have it, and as what is expanded never holds them."""
    return list({fold(name): name for name in listed}.values())


def named(pairing: Pairing) -> tuple[str, str]:
    """Both names."""
    source, destination, _ = pairing
    return source.name if source else "", destination.name if destination else ""


@given(names, names, st.booleans())
@settings(deadline=None, max_examples=200)
def test_names_pair_as_in_a_slow_join(source: list[str], destination: list[str], folds: bool) -> None:
    if folds:
        source, destination = without_twins(source), without_twins(destination)
    ours, theirs = ([Node(name, "file") for name in side] for side in (source, destination))

    pairings = list(pair_names(ours, theirs, folds=folds))

    assert sorted(map(named, pairings)) == slow_join(source, destination, folds=folds)
    assert [pairing.name for pairing in pairings] == sorted(pairing.name for pairing in pairings)


def files(listed: Sequence[str]) -> Nodes:
    """Files of these names."""
    return Nodes.of(Node(name, "file") for name in listed)


@given(names)
@settings(deadline=None, max_examples=150)
def test_refused_are_the_names_that_fold_like_another(listed: list[str]) -> None:
    folded = [fold(name) for name in listed]

    found = told_apart(files(listed), NONE, rename=False)

    assert found.refused.keys() == {name for name in listed if folded.count(fold(name)) > 1}
    assert not found.aliases


@given(names, names, st.lists(st.sampled_from([*NAMES, "B", "\u00c9"]).map(alias), max_size=3, unique=True))
@settings(deadline=None, max_examples=300)
def test_aliases_tell_all_names_apart_and_stay_what_they_are(
    source: list[str], destination: list[str], aliased: list[str]
) -> None:
    there = [*without_twins(destination), *aliased]

    found = told_apart(files(source), files(there), rename=True)

    called = {name: found.aliases.get(name, name) for name in source}
    assert not found.refused
    assert len(set(map(fold, called.values()))) == len(source)
    left = {fold(name): name for name in there} | {fold(name): name for name in called.values()}
    again = told_apart(files(source), files(list(left.values())), rename=True)
    assert {**called, **again.aliases} == called
