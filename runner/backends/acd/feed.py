"""The change feed: JSON objects, one a line, each with the checkpoint to go on from. Source: acd-api §10."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from runner.backends.acd.nodes import check_id, is_staged, parse
from runner.backends.acd.wire import AcdWire
from runner.model.backend import Change, ChangePage
from runner.model.errors import BadAnswer, Blocked, Truncated
from runner.model.path import show
from runner.remote.close import closing
from runner.remote.http import JSON_LIMIT, Request

LINE = 1000
"""Nodes asked for in one line: half a megabyte of JSON."""

_IDLE_S = 300.0
"""The service may have to gather a whole account before its first line."""

_MANY = 5000
"""Whether an answer that tells so much was ended by the end of the changes or by some limit, nobody knows."""

_TRIES = 3
_RESETS = 3
_NO_END = "a change feed that does not say where it ends"
_NOWHERE = ("TRASH", "PURGED", "PENDING")


async def changes(wire: AcdWire, top: str, cursor: str | None) -> AsyncGenerator[ChangePage, None]:
    """See `Feed.changes`. top: the account's own root; its id is part of every cursor.

    Each answer is read to its last line, which says that it is the last; one that was cut off goes on from the
    last checkpoint. Asked again after everything was told, for what changed meanwhile. Raises Truncated when
    answers stay short, BadAnswer when they make no sense or begin anew each time.
    """
    account, _, checkpoint = (cursor or "").partition("/")
    checkpoint = checkpoint if account == top else ""
    resets = cuts = 0
    while True:
        began, told, reset, ended = checkpoint, 0, False, False
        try:
            async with closing(_lines(wire, checkpoint)) as lines:
                async for line in lines:
                    if line is None:
                        ended = True
                        break
                    first = not reset and (line["reset"] is True or not checkpoint)
                    reset, checkpoint, cuts = reset or first, line["checkpoint"], 0
                    some = [_change(node) for node in line["nodes"]]
                    told += len(some)
                    yield ChangePage(top, f"{top}/{checkpoint}", first, some)
        except Blocked:
            if not began:
                raise
            checkpoint = ""  # a checkpoint that is refused is as good as an unknown one
            continue
        except Truncated:
            cuts += 1
            if cuts >= _TRIES:
                raise
        resets += reset
        if resets > _RESETS:
            raise BadAnswer("a change feed that begins anew each time")
        if ended and (told == 0 or checkpoint == began or not (reset or told >= _MANY)):
            return


async def _lines(wire: AcdWire, checkpoint: str) -> AsyncGenerator[dict[str, Any] | None, None]:
    """Yield the lines of one answer, checked, and None for the one that ends it. Raises Truncated without that."""
    wish = {"includePurged": "true", "chunkSize": LINE} | ({"checkpoint": checkpoint} if checkpoint else {})
    request = Request(
        "POST",
        (await wire.endpoints()).metadata + "changes",
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(wish).encode("ascii"),
        idle_s=_IDLE_S,
    )
    rest = bytearray()
    async with wire.wire.stream(request) as download, closing(download.chunks()) as chunks:
        async for chunk in chunks:
            seen = len(rest)
            rest += chunk
            while (at := rest.find(b"\n", seen)) >= 0:
                text = bytes(rest[:at])
                del rest[: at + 1]
                seen = 0
                if text.strip():
                    yield _line(text)
            if len(rest) > JSON_LIMIT:
                raise BadAnswer(f"a line of the change feed of more than {JSON_LIMIT} bytes")
    try:
        last = _line(bytes(rest))  # the one that ends it has no newline
    except BadAnswer as error:
        raise Truncated(_NO_END) from error
    yield last
    if last is not None:
        raise Truncated(_NO_END)


def _line(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        raise BadAnswer(
            f"a line of the change feed that is none: {show(text[:80].decode('utf-8', 'replace'))!r}"
        )
    if line.get("end") is True:
        return None
    checkpoint, status = line.get("checkpoint"), line.get("statusCode", 200)
    if status != 200:
        raise BadAnswer(f"the change feed broke off with status {status!r}")
    if not isinstance(checkpoint, str) or not 0 < len(checkpoint) <= 65536:
        raise BadAnswer("a line of the change feed without a checkpoint")
    if not isinstance(line.get("nodes"), list):
        raise BadAnswer("a line of the change feed without nodes: nothing is concluded from it")
    return {"checkpoint": checkpoint, "reset": line.get("reset"), "nodes": line["nodes"]}


def _change(data: Any) -> Change:
    """What a listing would show of the node, and where; see `listing.children`."""
    if not isinstance(data, dict):
        raise BadAnswer("a node that is no JSON object")
    status = data.get("status")
    if status in _NOWHERE:
        return Change(check_id(data.get("id")), (), None)
    node = parse(data)
    if status != "AVAILABLE":
        raise BadAnswer(f"node {node.id}: the change feed does not say whether it stands")
    if not node.parents or not node.name or node.kind == "ASSET" or is_staged(node.name):
        return Change(node.id, (), None)
    return Change(node.id, tuple(dict.fromkeys(node.parents)), node.node())
