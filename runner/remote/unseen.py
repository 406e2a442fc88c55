"""What of a remote is ours alone, and never seen by who looks at it: leases."""

from collections.abc import Sequence

from runner.model import path as paths
from runner.model.backend import Change, Trashed
from runner.model.hidden import LEASES
from runner.model.node import Node
from runner.model.nodes import Nodes


def without_leases(page: Sequence[Node]) -> Sequence[Node]:
    """The same nodes, but for our leases."""
    if isinstance(page, Nodes):
        return page.without((LEASES,)) if page.has(LEASES) else page
    return [node for node in page if node.name != LEASES]


def seen(change: Change) -> Change:
    """The change as others may see it: a lease stands nowhere."""
    return Change(change.id, (), None) if change.node is not None and change.node.name == LEASES else change


def ours(entry: Trashed) -> bool:
    """Is it a lease that was let go of?"""
    return entry.path is not None and LEASES in paths.order(entry.path)
