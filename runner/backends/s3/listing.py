"""Listing a bucket, page by page."""

from collections.abc import AsyncGenerator
from operator import lt
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from runner.backends.s3.documents import document, local, space, text
from runner.backends.s3.nodes import Found, from_listing
from runner.backends.s3.wire import Ask, S3Wire
from runner.model.errors import BadAnswer, Truncated

PAGE = 1000
LAST = "\U0010ffff"
"""After a prefix, behind every key that begins with it and goes on with anything else."""


class Page(NamedTuple):
    """objects: in byte order of their keys; prefixes: what of a delimited listing is below, its "/" included."""

    objects: list[Found]
    prefixes: list[str]


async def objects(
    wire: S3Wire, bucket: str, prefix: str, *, delimiter: str = "", after: str = "", most: int = PAGE
) -> AsyncGenerator[Page, None]:
    """Yield what begins with the prefix. Raises NoBucket, and BadAnswer when pages go in circles or out of order.

    after: a key; only what stands behind it is listed. most: keys in a page.
    """
    query = {"list-type": "2", "prefix": prefix, "max-keys": str(most), "encoding-type": "url"}
    if delimiter:
        query["delimiter"] = delimiter
    if after:
        query["start-after"] = after
    tokens: set[str] = set()
    last = ""
    while True:
        reply = await wire.call(Ask("GET", bucket, query=query))
        root = document(reply.body)
        if local(root) != "ListBucketResult":
            raise BadAnswer(f"a listing was asked for, and {local(root)!r} came")
        page = _page(root)
        keys = [found.key for found in page.objects]
        if (keys and not (keys[0] > last or not last)) or not all(map(lt, keys, keys[1:])):
            raise BadAnswer("a listing that is not in the order of bytes")
        last = keys[-1] if keys else last
        yield page
        if text(root, "IsTruncated") != "true":
            return
        token = text(root, "NextContinuationToken")
        if not token:
            raise Truncated("a listing that breaks off: it says that more follows, and not where")
        if token in tokens:
            raise BadAnswer("a listing that goes round in circles: its next page was there before")
        tokens.add(token)
        query["continuation-token"] = token


def _page(root: Element) -> Page:
    namespace = space(root)
    names = tuple(namespace + name for name in ("Key", "Size", "ETag", "LastModified"))
    escaped = text(root, "EncodingType") == "url"
    found = []
    for entry in root.iterfind(namespace + "Contents"):
        fields = {child.tag: child.text for child in entry}
        key, size, etag, changed = map(fields.get, names)
        if escaped and key and ("%" in key or "+" in key):
            key = decoded(key)
        found.append(from_listing(key or "", size or "", etag or "", changed or ""))
    below = [
        decoded(text(entry, "Prefix")) if escaped else text(entry, "Prefix")
        for entry in root.iterfind(namespace + "CommonPrefixes")
    ]
    return Page(found, below)


def decoded(name: str) -> str:
    """A key as it is; what is no UTF-8 has lone surrogates in it, and is no path."""
    if "%" in name or "+" in name:
        return unquote_plus(name, errors="surrogateescape")
    return name


async def buckets(wire: S3Wire) -> list[str]:
    """The names of the account's buckets."""
    root = document((await wire.call(Ask("GET"))).body)
    if local(root) != "ListAllMyBucketsResult":
        raise BadAnswer(f"a list of buckets was asked for, and {local(root)!r} came")
    return sorted(text(entry, "Name") for entry in root.iter(space(root) + "Bucket"))
