"""Which nodes of a folder take part on either side, and what their names come to at the destination."""

from collections.abc import Sequence
from typing import NamedTuple

from runner.model.node import Folder, Node
from runner.model.pair import Pair
from runner.model.path import fold, join, name, show
from runner.plan.alias import Names, told_apart


class Part(NamedTuple):
    """The nodes of both sides without what nothing may be concluded about, and what is to be said of their names."""

    source: Sequence[Node]
    destination: Sequence[Node]
    names: Names


def taking_part(
    source: Folder | None, destination: Folder | None, pair: Pair, path: str, *, folds: bool
) -> Part:
    """The part of one folder that can be compared.

    path: of the folder, below the pair's root. folds: of the destination.
    Nothing is left of a folder that one side could not list at all.
    """
    ours, theirs = source.nodes if source else (), destination.nodes if destination else ()
    gaps = [name(gap.path) for folder in (source, destination) if folder for gap in folder.gaps]
    for folder in (source, destination):
        if folder and any(gap.path == folder.path for gap in folder.gaps):
            return Part((), (), Names.none())
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
    if gone or names.refused or names.hidden:
        ours = [node for node in ours if node.name not in gone and node.name not in names.refused]
        theirs = [node for node in theirs if node.name not in gone and node.name not in names.hidden]
    return Part(ours, theirs, names)


def _check(names: Names, ours: Sequence[Node], pair: Pair, path: str) -> None:
    """An alias that the filter leaves out would not be seen again once it is stored."""
    for node in ours if names.aliases else ():
        alias = names.aliases.get(node.name)
        if alias and not pair.filter.admits(join(path, alias), node._replace(name=alias)):
            names.refused[node.name] = f"the filter leaves out its alias {show(repr(alias))}"
            del names.aliases[node.name]


def _not_lost(source: Folder, theirs: Sequence[Node], *, folds: bool) -> set[str]:
    """Names at the destination whose partner does not take part, so that nothing may be concluded about them."""
    if not source.left_out:
        return set()
    form = fold if folds else str
    names = set(map(form, source.left_out)) - {form(node.name) for node in source.nodes}
    return {node.name for node in theirs if form(node.name) in names}
