"""Why a path is treated as it is: the same rules as of a run, for one path alone."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.app.draining import header_of
from runner.app.places import Remotes
from runner.manifest.filter import RuleFilter
from runner.manifest.location import BadLocation, parse_location
from runner.manifest.manifest import Manifest
from runner.model.errors import AcdrunError, NotFound, Place, UsageError
from runner.model.events import silent
from runner.model.node import Folder, Node
from runner.model.nodes import Nodes
from runner.model.pair import Location, Pair
from runner.model.path import fold, join, name, parent, within
from runner.model.tally import Tally
from runner.model.task import Context
from runner.plan.decide import common_algorithm
from runner.plan.reason import Reason, Reasoning
from runner.remote.remote import Remote
from runner.remote.walk import everything, look
from runner.state.hashes import Hashes
from runner.state.identities import Identities
from runner.state.journal import Journal, new_run
from runner.state.renames import Renames
from runner.state.trashing import Trashing


@dataclass(slots=True)
class Why:
    """What decides about a path in a pair.

    rule: the filter's rule in words, "" where none matches, and where it stands; admitted: does it let the path
    in? source, destination: the nodes; reason: what the pairing's rules say, None where they were not asked;
    unread: what kept a side from being looked at; link: a link or special file of the source.
    """

    pair: Pair
    path: str
    rule: str = ""
    rule_path: str = ""
    rule_place: Place | None = None
    admitted: bool = True
    source: Node | None = None
    destination: Node | None = None
    reason: Reason | None = None
    link: bool = False
    unread: list[str] = field(default_factory=list)


def covering(manifest: Manifest, text: str) -> list[tuple[Pair, str]]:
    """The pairs that a path belongs to, each with the path below its root.

    text: below the pairs' roots, or an absolute path of this machine, or `remote:path`. Raises UsageError.
    """
    remote = text.partition(":")[0]
    if text.startswith(("/", "~", "./", "../")) or (":" in text and remote in manifest.remotes):
        try:
            location = parse_location(text, os.getcwd())
        except BadLocation as error:
            raise UsageError(str(error), hint=error.hint) from error
        found = [
            (pair, below)
            for pair in manifest.pairs
            for end in (pair.source, pair.destination)
            if (below := _below(location, end)) is not None
        ]
    else:
        path = "/".join(part for part in text.split("/") if part not in ("", "."))
        found = [(pair, path) for pair in manifest.pairs]
    if any(not path for _, path in found):
        raise UsageError(
            f"{text!r} is the root of a pair, which always takes part", hint="name a path below it"
        )
    if not found:
        roots = sorted({str(end) for pair in manifest.pairs for end in (pair.source, pair.destination)})
        raise UsageError(f"no pair covers {text!r}", hint=f"its places: {', '.join(roots)}")
    return found


def _below(location: Location, end: Location) -> str | None:
    if location.remote != end.remote or not within(location.path, end.path):
        return None
    return location.path[len(end.path) :].strip("/")


async def why(manifest: Manifest, wanted: Sequence[tuple[Pair, str]], state: Path) -> list[Why]:
    """What decides, for each of these paths. Only the folders that lead to a path are listed; nothing is written."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="acdrun-why-"))
        header = header_of(new_run(), manifest, "plan")
        journal = stack.enter_context(contextlib.closing(Journal.create(Path(folder) / "why", header)))
        hashes = stack.enter_context(contextlib.closing(Hashes(state / "hashes.db")))
        remotes = Remotes(manifest, state, header.id, stack)
        found = []
        for pair, path in wanted:
            here, there = await remotes.at(pair.source), await remotes.at(pair.destination)
            algorithm = common_algorithm(here.can, there.can)
            identities, trashing = Identities(journal, pair.name, {}), Trashing(journal, pair.name)
            renames = Renames(journal, pair.name)
            ctx = Context(
                pair,
                here,
                there,
                algorithm,
                hashes,
                Tally,
                silent,
                lambda checks: None,
                identities,
                trashing,
                renames,
            )
            found.append(await _one(ctx, path, manifest, journal))
        return found


async def _one(ctx: Context, path: str, manifest: Manifest, journal: Journal) -> Why:
    result = Why(ctx.pair, path)
    reasoning = Reasoning(ctx, journal)
    steps = path.split("/") if path else []
    for depth in range(max(len(steps), 1)):
        folder = "/".join(steps[:depth])
        sides = await _look(ctx.source, folder, result), await _look(ctx.destination, folder, result)
        if not depth and sides[0] is None and not result.unread:
            result.unread.append(f"{ctx.pair.source}: the source does not exist, which a run refuses")
        if result.unread:
            return result
        _see(result, sides, join(folder, steps[depth]) if steps else "", ctx)
        _rule(result, join(folder, steps[depth]) if steps else "", manifest)
        if not result.admitted or result.link or sides == (None, None):
            return result
        reasoning.feed(*(_admitted(side, ctx.pair) for side in sides))
    result.reason = reasoning.of(path)
    return result


async def _look(remote: Remote, folder: str, result: Why) -> Folder | None:
    try:
        found = await look(remote.list, everything, folder)
    except NotFound:
        return None
    except AcdrunError as error:
        result.unread.append(f"{error.kind}: {error}")
        return None
    for gap in found.gaps:
        if gap.path == folder:
            if isinstance(gap.error.__cause__, NotFound):
                return None
            result.unread.append(f"{gap.error.kind}: {gap.error}")
    return found


def _see(result: Why, sides: tuple[Folder | None, Folder | None], path: str, ctx: Context) -> None:
    result.source = _node(sides[0], name(path), folds=False)
    result.destination = _node(sides[1], name(path), folds=ctx.destination.can.folds)
    if result.source is None and result.destination is not None and ctx.destination.can.folds:
        result.source = _node(sides[0], name(path), folds=True)
    result.link = result.source is not None and result.source.kind == "other"


def _node(folder: Folder | None, wanted: str, *, folds: bool) -> Node | None:
    nodes = folder.nodes if folder else ()
    exact = next((node for node in nodes if node.name == wanted), None)
    if exact is not None or not folds:
        return exact
    return next((node for node in nodes if fold(node.name) == fold(wanted)), None)


def _rule(result: Why, path: str, manifest: Manifest) -> None:
    rules, node = result.pair.filter, result.source or result.destination
    if node is None or not isinstance(rules, RuleFilter) or not path:
        return
    rule = rules.why(join(parent(path), node.name), node)
    result.admitted = rule is None or rule.admits
    result.rule, result.rule_path, result.rule_place = "", path, None
    if rule is None:
        return
    result.rule = str(rule)
    number = int(result.pair.name.partition("#")[2] or 1) - 1
    own = ("jobs", result.pair.name.partition("#")[0], "pairs", number, "filter", rules.rules.index(rule))
    shared = ("defaults", "filter", rules.rules.index(rule))
    keys = own if own in manifest.places else shared
    result.rule_place = manifest.place(*keys)


def _admitted(folder: Folder | None, pair: Pair) -> Folder | None:
    """As a walk of the pair would yield it."""
    if folder is None:
        return None
    kept: list[Node] = []
    left_out: list[Node] = []
    for node in folder.nodes:
        fits = pair.filter.admits(join(folder.path, node.name), node)
        (kept if fits else left_out).append(node)
    names = [node.name for node in left_out]
    return folder._replace(nodes=Nodes.of(kept), excluded=len(names), left_out=names)
