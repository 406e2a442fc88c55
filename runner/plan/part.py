"""Which nodes of a folder take part on either side, and what their names come to at the destination."""

from typing import NamedTuple

from runner.model.node import Folder, Node
from runner.model.nodes import NONE, Nodes
from runner.model.pair import Pair
from runner.model.path import fold, join, name, show
from runner.plan.alias import Names, told_apart


class Part(NamedTuple):
    """The nodes of both sides without what nothing may be concluded about, and what is to be said of their names."""

    source: Nodes
    destination: Nodes
    names: Names


def taking_part(
    source: Folder | None, destination: Folder | None, pair: Pair, path: str, *, folds: bool
) -> Part:
    """The part of one folder that can be compared.

    path: of the folder, below the pair's root. folds: of the destination.
    Nothing is left of a folder that one side could not list at all.
    """
    ours, theirs = source.nodes if source else NONE, destination.nodes if destination else NONE
    gaps = [name(gap.path) for folder in (source, destination) if folder for gap in folder.gaps]
    for folder in (source, destination):
        if folder and any(gap.path == folder.path for gap in folder.gaps):
            return Part(NONE, NONE, Names.none())
    gone = {*gaps, *(_not_lost(source, theirs, folds=folds) if source else ())}
    names = Names.none()
    if folds and ours:
        names = told_apart(
            ours,
            theirs,
            rename=pair.case == "rename",
            left_out=(*source.left_out, *gaps) if source else (),
            taken=(*destination.left_out, *gaps) if destination else (),
        )
        _check(names, ours, pair, path)
    return Part(ours.without(gone | names.refused.keys()), theirs.without(gone | names.hidden), names)


def _check(names: Names, ours: Nodes, pair: Pair, path: str) -> None:
    """An alias that the filter leaves out would not be seen again once it is stored."""
    for own, alias in sorted(names.aliases.items()):
        if not pair.filter.admits(join(path, alias), Node(alias, *ours.stamps[own])):
            names.refused[own] = f"the filter leaves out its alias {show(repr(alias))}"
            del names.aliases[own]


def _not_lost(source: Folder, theirs: Nodes, *, folds: bool) -> set[str]:
    """Names at the destination whose partner does not take part, so that nothing may be concluded about them."""
    if not source.left_out:
        return set()
    form = fold if folds else str
    names = set(map(form, source.left_out)) - set(map(form, source.nodes.stamps))
    return {there for there in theirs.stamps if form(there) in names}
