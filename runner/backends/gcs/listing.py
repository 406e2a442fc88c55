"""Listing a bucket, page by page."""

from collections.abc import AsyncGenerator
from operator import lt
from typing import Any, Literal

from runner.backends.gcs.nodes import KEPT, LISTED, Found, found
from runner.backends.gcs.wire import Ask, GcsWire
from runner.model.errors import BadAnswer, UsageError
from runner.remote.keyed import Page

PAGE = 1000
LAST = "\U0010ffff"
"""After a prefix, behind every key that begins with it and goes on with anything else."""

Which = Literal["", "versions", "softDeleted"]
"""The states that stand; all that are kept, older ones too; those that the service keeps for a while only."""


async def objects(
    wire: GcsWire, bucket: str, prefix: str, *, delimiter: str = "", after: str = "", most: int = PAGE,
    which: Which = "",
) -> AsyncGenerator[Page[Found], None]:  # fmt: skip
    """Yield what begins with the prefix. Raises NoBucket, and BadAnswer when pages go in circles or out of order.

    after: a key; only what stands behind it is listed. most: keys in a page. Pages may be empty.
    """
    query = {"maxResults": str(most), "fields": KEPT if which else LISTED}
    query |= {"prefix": prefix} if prefix else {}
    query |= {"delimiter": delimiter} if delimiter else {}
    query |= {"startOffset": after} if after else {}
    query |= {which: "true"} if which else {}
    tokens: set[str] = set()
    last = after
    while True:
        data = await wire.listing(bucket, query)
        page = _page(data)
        keys = [one.key for one in page.objects]
        in_order = all(map(lt, keys, keys[1:])) if not which else keys == sorted(keys)
        if (keys and not (keys[0] > last or (which and keys[0] == last))) or not in_order:
            raise BadAnswer("a listing that is not in the order of bytes")
        last = keys[-1] if keys else last
        yield page
        token = data.get("nextPageToken")
        if not token:
            return
        if not isinstance(token, str) or token in tokens:
            raise BadAnswer("a listing that goes round in circles: its next page was there before")
        tokens.add(token)
        query["pageToken"] = token


def _page(data: dict[str, Any]) -> Page[Found]:
    items, prefixes = data.get("items") or [], data.get("prefixes") or []
    kind = data.get("kind", "storage#objects")
    good = isinstance(items, list) and isinstance(prefixes, list) and kind == "storage#objects"
    if not good or "error" in data:
        raise BadAnswer("a listing was asked for, and something else came")
    try:
        return Page([found(item) for item in items], [str(one) for one in prefixes])
    except AttributeError:
        raise BadAnswer("a listing of what are no objects") from None


async def buckets(wire: GcsWire, project: str) -> list[str]:
    """The names of the project's buckets."""
    if not project:
        raise UsageError(
            "buckets are listed by project, and none is configured",
            hint="name a bucket, as in REMOTE:BUCKET/PATH, or configure `project_number`",
        )
    query = {"project": project, "fields": "nextPageToken,items(name)", "maxResults": str(PAGE)}
    names: list[str] = []
    tokens: set[str] = set()
    while True:
        data = await wire.call(Ask("GET", ("b",), query))
        try:
            names += [str(item["name"]) for item in data.get("items") or []]
        except (TypeError, KeyError):
            raise BadAnswer("a list of buckets was asked for, and something else came") from None
        token = data.get("nextPageToken")
        if not token:
            return sorted(names)
        if not isinstance(token, str) or token in tokens:
            raise BadAnswer("a list of buckets that goes round in circles")
        tokens.add(token)
        query["pageToken"] = token
