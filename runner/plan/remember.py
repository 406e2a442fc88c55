"""What the hash cache knows of the nodes of a folder."""

from collections.abc import Mapping, Sequence

from runner.model.checksum import Checksum
from runner.model.node import Node
from runner.model.nodes import Nodes
from runner.model.task import Context
from runner.plan.match import Pairing
from runner.remote.remote import Remote


def remembered(pairings: Sequence[Pairing], ctx: Context, *, both: bool = True) -> Sequence[Pairing]:
    """The same pairings with the checksums that the cache knows. both: not of the sources alone."""
    if not pairings:
        return pairings
    ours = _known(ctx, ctx.source, [pairing.source for pairing in pairings])
    theirs = _known(ctx, ctx.destination, [pairing.destination for pairing in pairings]) if both else {}
    return [Pairing(_with(p.source, ours), _with(p.destination, theirs), p.alias) for p in pairings]


def digests(nodes: Nodes, remote: Remote, ctx: Context) -> Mapping[str, str]:
    """The digests of files of one folder by name: those of the listing, or those of the cache where it knows all."""
    listed = {
        name: checksum.digest
        for name, (_, _, _, checksum) in nodes.stamps.items()
        if checksum is not None and checksum.algorithm == ctx.algorithm
    }
    if listed or (state := nodes.state()) is None:
        return listed
    files = nodes.files()
    whole = ctx.hashes.whole(remote.place, state, ctx.algorithm)
    if whole is None or len(whole) != len(files):
        ctx.hashes.ask(remote.place, state, ctx.algorithm, [nodes.node(name).generation for name in files])
        return {}
    return dict(zip(files, whole, strict=True))


def _known(ctx: Context, remote: Remote, nodes: Sequence[Node | None]) -> dict[str, Checksum]:
    unlisted = [node.generation for node in nodes if node is not None and not listed_digest(node, ctx)]
    return ctx.hashes.known(remote.place, unlisted, ctx.algorithm) if unlisted else {}


def listed_digest(node: Node | None, ctx: Context) -> str:
    """Of another algorithm than the pair's it would be compared with what it cannot equal: "" then."""
    checksum = node.checksum if node is not None else None
    return str(checksum) if checksum is not None and checksum.algorithm == ctx.algorithm else ""


def _with(node: Node | None, known: dict[str, Checksum]) -> Node | None:
    if node is None or node.generation not in known:
        return node
    return node._replace(checksum=known[node.generation])
