"""Listing a container, page by page."""

import json
from collections.abc import AsyncGenerator
from operator import lt
from typing import Any

from runner.backends.swift.answers import no_container
from runner.backends.swift.nodes import Found, from_listing
from runner.backends.swift.wire import Ask, SwiftWire
from runner.model.errors import BadAnswer, NotFound
from runner.remote.keyed import Page

LAST = "\U0010ffff"
"""After a prefix, behind every key that begins with it and goes on with anything else."""

SEGMENTS = "_segments"
"""What the names of containers for segments end in, with us as with other tools."""
_SEGMENTS = (SEGMENTS, "+segments")
"""The second one is that of Swift's own S3 interface."""

BESIDE = ".file-segments"
"""Folder of a container in which rclone keeps segments when it is told to: they are no files of their own."""


async def objects(
    wire: SwiftWire, container: str, prefix: str, *, delimiter: str = "", after: str = "", jump: str = ""
) -> AsyncGenerator[Page[Found], None]:
    """Yield what begins with the prefix. Raises NoContainer, and BadAnswer when pages go back or repeat.

    after: only what stands behind it is listed. jump: what begins with this is left out, and asked for no further
    than to the end of the page that first shows it. The listing ends with an empty page: a short one may be
    anybody's idea of a page.
    """
    query = {"format": "json", "prefix": prefix}
    if delimiter:
        query["delimiter"] = delimiter
    marker = after
    while True:
        entries = await _entries(wire, container, query | ({"marker": marker} if marker else {}))
        if not entries:
            return
        names: list[str] = [
            entry["name"] if "name" in entry else entry.get("subdir", "") for entry in entries
        ]
        if not all(isinstance(name, str) for name in names):
            raise BadAnswer("an entry of a listing without a name")
        if not all(map(lt, names, names[1:])) or names[0] <= marker:
            raise BadAnswer("a listing that is not in the order of bytes, or goes round in circles")
        marker = names[-1]
        if jump and marker.startswith(jump):
            marker = jump + LAST
        yield Page(
            [
                from_listing(one)
                for one in entries
                if "name" in one and not (jump and one["name"].startswith(jump))
            ],
            [str(one["subdir"]) for one in entries if "subdir" in one],
        )


async def versions(
    wire: SwiftWire, container: str, prefix: str
) -> AsyncGenerator[list[dict[str, Any]], None]:
    """Yield the entries of all versions of what begins with the prefix, the newest of each key first."""
    query = {"format": "json", "prefix": prefix, "versions": ""}
    seen: set[tuple[str, str]] = set()
    while True:
        entries = await _entries(wire, container, query)
        if not entries:
            return
        last = str(entries[-1].get("name", "")), str(entries[-1].get("version_id", ""))
        if last in seen:
            raise BadAnswer("a listing that goes round in circles: its next page was there before")
        seen.add(last)
        yield entries
        query |= {"marker": last[0], "version_marker": last[1]}


async def containers(wire: SwiftWire) -> list[str]:
    """The account's containers in the order of what is below them, but for those with the segments of another one."""
    names: list[str] = []
    while True:
        entries = await _entries(wire, "", {"format": "json", "marker": names[-1] if names else ""})
        found = [str(entry["name"]) for entry in entries if "name" in entry]
        if not found or (names and found[0] <= names[-1]):
            break
        names += found
    there = set(names)
    return [
        name
        for name in sorted(names, key=lambda name: f"{name}/".encode())
        if not any(name.endswith(end) and name.removesuffix(end) in there for end in _SEGMENTS)
    ]


async def _entries(wire: SwiftWire, container: str, query: dict[str, str]) -> list[dict[str, Any]]:
    try:
        reply = await wire.call(Ask("GET", container, query=query))
    except NotFound as error:
        raise no_container(container, error) from error
    if reply.status == 204:
        return []
    try:
        entries = json.loads(reply.body)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadAnswer("a listing was asked for, and what came is none")
    return entries
