"""Listing a folder, page by page, and proving that it was all of it. Source: acd-api §7.1, §12."""

from collections.abc import AsyncGenerator
from typing import Any

from runner.backends.acd.answers import ListingExpired
from runner.backends.acd.nodes import AcdNode, parse
from runner.backends.acd.wire import AcdWire
from runner.model.errors import BadAnswer, Truncated

PAGE = 200
_PASSES = 3
_IDLE_PAGES = 3
"""So many pages in a row without anything new are a loop, even if each brings another token."""

_STATUSES = ("AVAILABLE", "TRASH", "PURGED", "PENDING")


async def children(wire: AcdWire, folder: str, **more: str) -> AsyncGenerator[list[AcdNode], None]:
    """Yield what stands in the folder, in pages, each node once, nameless ones and assets left out.

    A pass over the pages is whole when as many nodes came as the service ever counted in it. One that is
    not (others write at the same time, or a page was dropped) is repeated once, as is one whose token
    expired on the way; what was yielded before is not yielded again. Raises Truncated when that does not
    help, BadAnswer when pages repeat themselves.
    """
    yielded: set[str] = set()
    for _ in range(_PASSES):
        seen: set[str] = set()
        counted = idle = 0
        try:
            # Quoted, for an id may begin with "-", which is an operator of the filter language.
            async for data in _pages(wire, "nodes", {"filters": f'parents:"{folder}"', **more}):
                counted = max(counted, _count(data))
                fresh = _page(data, seen)
                idle = 0 if fresh else idle + 1
                if idle >= _IDLE_PAGES and "nextToken" in data:
                    raise BadAnswer("a listing that goes round in circles: its pages bring nothing new")
                standing = [node for node in fresh if _shown(node, folder) and node.id not in yielded]
                yielded.update(node.id for node in standing)
                if standing:
                    yield standing
        except ListingExpired:
            continue
        if len(seen) >= counted:
            return
    raise Truncated(f"a listing that should hold {counted} nodes brought {len(seen)}")


async def trash(wire: AcdWire) -> AsyncGenerator[list[AcdNode], None]:
    """Yield what is in the trash, in pages. For looking only: no proof is asked that it is whole."""
    seen: set[str] = set()
    async for data in _pages(wire, "trash", {}):
        if fresh := _page(data, seen):
            yield fresh


async def _pages(wire: AcdWire, call: str, more: dict[str, str]) -> AsyncGenerator[dict[str, Any], None]:
    query = {"limit": str(PAGE), **more}
    tokens: set[str] = set()
    while True:
        data = await wire.ask("GET", call, query=query)
        yield data
        token = data.get("nextToken")
        if token is None or token == "":
            return
        if not isinstance(token, str) or len(token) > 4096 or token in tokens:
            raise BadAnswer("a listing that goes round in circles: its next page was there before")
        tokens.add(token)
        query["startToken"] = token


def _page(data: dict[str, Any], seen: set[str]) -> list[AcdNode]:
    nodes = data.get("data")
    if not isinstance(nodes, list):
        raise BadAnswer("a page of a listing without data: nothing is concluded from it")
    fresh = []
    for node in map(parse, nodes):
        if node.id not in seen:
            seen.add(node.id)
            fresh.append(node)
    return fresh


def _count(data: dict[str, Any]) -> int:
    count = data.get("count", 0)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise BadAnswer("a page of a listing whose count is no number")
    return count


def _shown(node: AcdNode, folder: str) -> bool:
    if node.status not in _STATUSES or not node.parents:
        raise BadAnswer(f"node {node.id}: a listing does not say whether and where it stands")
    return node.status == "AVAILABLE" and folder in node.parents and node.kind != "ASSET" and node.name != ""
