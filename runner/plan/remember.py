"""What the hash cache knows of the nodes of a folder."""

from collections.abc import Mapping, Sequence

from runner.model.checksum import Checksum, hasher
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


class Digests:
    """Of files of one folder: those of the listing, or where that has none those of the cache, if it knows all."""

    def __init__(self, nodes: Nodes, remote: Remote, ctx: Context) -> None:
        self._nodes, self._step = nodes, hasher(ctx.algorithm).digest_size
        self._listed: Mapping[str, str] = {}
        self._whole = nodes.digest(ctx.algorithm)
        if not self._whole:
            self._listed = nodes.digests(ctx.algorithm)
            self._whole = b"" if self._listed else self._known(remote, ctx)

    def same(self, other: "Digests") -> bool:
        """Are all of both known, and the same for each name?"""
        if not self._whole or self._whole != other._whole:
            return False
        return list(self._nodes.files()) == list(other._nodes.files())

    def by_name(self) -> Mapping[str, str]:
        """All that are known."""
        if not self._whole:
            return self._listed
        text, step = self._whole.hex(), 2 * self._step
        each = (text[start : start + step] for start in range(0, len(text), step))
        return dict(zip(self._nodes.files(), each, strict=True))

    def _known(self, remote: Remote, ctx: Context) -> bytes:
        nodes = self._nodes
        if not nodes.number("file") or (state := nodes.state()) is None:
            return b""
        whole = ctx.hashes.whole(remote.place, state, ctx.algorithm)
        if whole is not None and len(whole) == nodes.number("file") * self._step:
            return whole
        generations = [nodes.node(name).generation for name in nodes.files()]
        ctx.hashes.ask(remote.place, state, ctx.algorithm, generations)
        return b""


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
