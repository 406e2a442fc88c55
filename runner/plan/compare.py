"""Compare two places file by file, without planning anything."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import islice
from typing import Literal, NamedTuple

from runner.model.checksum import Checksum
from runner.model.errors import AcdrunError
from runner.model.node import Folder, Node
from runner.model.nodes import NONE
from runner.model.pair import Case
from runner.model.path import join, name, within
from runner.plan.alias import Names, told_apart
from runner.plan.decide import common_algorithm
from runner.plan.match import Pairing, match, pair_names
from runner.remote.close import closing
from runner.remote.remote import Remote

Sign = Literal["=", "-", "+", "*", "!"]
Proof = Literal["checksum", "size", "reading"]


class Compared(NamedTuple):
    """One path. sign, as rclone's `check` has it: "=" equal, "-" only at the destination, "+" only at the source,
    "*" different, "!" one of them could not be read; why: of what they differ in, or the error.
    """

    sign: Sign
    path: str
    why: str = ""


async def compare(
    source: Remote,
    destination: Remote,
    *,
    admits: Callable[[str, Node], bool],
    proof: Proof = "checksum",
    case: Case = "refuse",
) -> AsyncGenerator[Compared, None]:
    """Yield every file of either side, folder by folder in path order.

    proof: by `checksum` the listings' own are used, and a side whose listing has none is read; `reading` reads
        both sides; `size` reads nothing.
    case: by `rename`, files of the source are also looked for under the alias that such a pair gives them where
        the destination folds. Otherwise names are compared exactly, also where a place takes "A" for "a".
    Folders are not compared. What lies below a part that one side could not list is left out, for nothing can be
    said about it.
    """
    algorithm = common_algorithm(source.can, destination.can)
    aliased = case == "rename" and destination.can.folds
    at_once = min(source.can.concurrency, destination.can.concurrency)
    gaps: list[str] = []
    async with (
        closing(source.walk(admits)) as here,
        closing(destination.walk(admits)) as there,
        closing(match(here, there)) as folders,
    ):
        async for ours, theirs in folders:
            folder = ours or theirs
            assert folder is not None
            for gap in (*(ours.gaps if ours else ()), *(theirs.gaps if theirs else ())):
                if gap.path == "":
                    raise gap.error
                gaps.append(gap.path)
                yield Compared("!", gap.path, f"{gap.error.kind}: {gap.error.message}")
            if any(within(folder.path, gap) for gap in gaps):
                continue
            pairings = _files(ours, theirs, gaps, aliased=aliased)
            while batch := list(islice(pairings, at_once)):
                work = [_one(folder.path, p, source, destination, algorithm, proof) for p in batch]
                for compared in await asyncio.gather(*work):
                    yield compared


def _files(
    ours: Folder | None, theirs: Folder | None, gaps: list[str], *, aliased: bool
) -> Iterator[Pairing]:
    path = ours.path if ours else theirs.path if theirs else ""
    unknown = {name(gap) for gap in gaps if gap == join(path, name(gap))}
    left = (ours.nodes if ours else NONE).without(unknown)
    right = (theirs.nodes if theirs else NONE).without(unknown)
    names = told_apart(left, right, rename=aliased) if aliased else Names.none()
    for pairing in pair_names(left, right, folds=False, aliases=names.aliases):
        if "file" in (
            pairing.source and pairing.source.kind,
            pairing.destination and pairing.destination.kind,
        ):
            yield pairing


async def _one(
    folder: str, pairing: Pairing, source: Remote, destination: Remote, algorithm: str, proof: Proof
) -> Compared:
    ours, theirs, _ = pairing
    path = join(folder, pairing.name)
    if theirs is None or (ours is not None and theirs.kind == "other"):
        return Compared("+", path)
    if ours is None or ours.kind == "other":
        return Compared("-", path)
    if ours.kind != theirs.kind:
        return Compared("*", path, f"a {ours.kind} here, a {theirs.kind} there")
    if ours.size != theirs.size:
        return Compared("*", path, f"{ours.size} bytes here, {theirs.size} there")
    if proof == "size":
        return Compared("=", path)
    try:
        one = await _checksum(source, path, ours, algorithm, proof)
        other = await _checksum(destination, join(folder, theirs.name), theirs, algorithm, proof)
    except AcdrunError as error:
        return Compared("!", path, f"{error.kind}: {error.message}")
    return Compared("=", path) if one == other else Compared("*", path, f"{algorithm} differs")


async def _checksum(remote: Remote, path: str, node: Node, algorithm: str, proof: Proof) -> Checksum:
    listed = node.checksum
    if proof == "checksum" and listed is not None and listed.algorithm == algorithm:
        return listed
    return await remote.checksum(path, algorithm, expect=node.generation or None)
