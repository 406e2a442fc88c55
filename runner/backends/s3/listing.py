"""Listing a bucket, page by page."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from operator import lt
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from runner.backends.s3.documents import document, local, space, text
from runner.backends.s3.nodes import Found, from_listing, instant_ns
from runner.backends.s3.wire import Ask, S3Wire
from runner.model.checksum import Checksum
from runner.model.errors import BadAnswer, Truncated
from runner.remote.http import Reply
from runner.remote.keyed import Page

PAGE = 1000
LAST = "\U0010ffff"
"""After a prefix, behind every key that begins with it and goes on with anything else."""

_MORE = r"(?:<((?!Key|Size|ETag|LastModified|Contents)[A-Za-z]+)>[^<&\x00-\x1f\ufffe\uffff]*</\{}>)*"
_ENTRY = re.compile(
    r"(<Contents><Key>([^<&\x00-\x1f\ufffe\uffff]*)</Key><LastModified>([^<&\x00-\x1f\ufffe\uffff]*)</LastModified>"
    r'<ETag>(?:&quot;|&#34;|")([0-9a-f-]{32,40})(?:&quot;|&#34;|")</ETag>'
    + _MORE.format(5)
    + r"<Size>([0-9]{1,18})</Size>"
    + _MORE.format(7)
    + r"</Contents>)"
)
"""The form of an entry, with other elements that hold no more than text."""


async def objects(
    wire: S3Wire, bucket: str, prefix: str, *, delimiter: str = "", after: str = "", most: int = PAGE,
    ahead: bool = False,
) -> AsyncGenerator[Page[Found], None]:  # fmt: skip
    """Yield what begins with the prefix. Raises NoBucket, and BadAnswer when pages go in circles or out of order.

    after: a key; only what stands behind it is listed. most: keys in a page. ahead: the next page is asked for while
    this one is worked on, for who reads to the end.
    """
    query = {"list-type": "2", "prefix": prefix, "max-keys": str(most), "encoding-type": "url"}
    if delimiter:
        query["delimiter"] = delimiter
    if after:
        query["start-after"] = after
    tokens: set[str] = set()
    last = ""
    asked: asyncio.Task[Reply] | None = None
    try:
        while True:
            reply = await (wire.call(Ask("GET", bucket, query=query)) if asked is None else asked)
            found, root = read(reply.body)
            if local(root) != "ListBucketResult":
                raise BadAnswer(f"a listing was asked for, and {local(root)!r} came")
            more, token = text(root, "IsTruncated") == "true", text(root, "NextContinuationToken")
            if more and token and token in tokens:
                raise BadAnswer("a listing that goes round in circles: its next page was there before")
            tokens.add(token)
            query["continuation-token"] = token
            if ahead and more and token:
                asked = asyncio.ensure_future(wire.call(Ask("GET", bucket, query=dict(query))))
            page = Page(found, _prefixes(root))
            keys = [found.key for found in page.objects]
            if (keys and not (keys[0] > last or not last)) or not all(map(lt, keys, keys[1:])):
                raise BadAnswer("a listing that is not in the order of bytes")
            last = keys[-1] if keys else last
            yield page
            if not more:
                return
            if not token:
                raise Truncated("a listing that breaks off: it says that more follows, and not where")
    finally:
        if asked is not None:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


def read(body: bytes) -> tuple[list[Found], Element]:
    """The objects of a page, and the page; raises BadAnswer.

    Nearly all servers write the entries in one form and next to each other. Those are read by it, every byte of them,
    and the rest as a document; what does not fit is a document as a whole.
    """
    start, end = body.find(b"<Contents>"), body.rfind(b"</Contents>") + len(b"</Contents>")
    if start > 0 and end > start:
        with suppress(UnicodeDecodeError):
            inner = body[start:end].decode()
            entries = _ENTRY.findall(inner)
            if sum([len(entry[0]) for entry in entries]) == len(inner):
                root = document(body[:start] + body[end:])
                if root.find(space(root) + "Contents") is None:
                    escaped = text(root, "EncodingType") == "url"
                    return [_found(entry, escaped=escaped) for entry in entries], root
    root = document(body)
    return _entries(root), root


def _found(entry: tuple[str, ...], *, escaped: bool) -> Found:
    _, key, changed, etag, _, size, _ = entry
    if escaped and ("%" in key or "+" in key):
        key = decoded(key)
    checksum = Checksum("md5", etag) if len(etag) == 32 and "-" not in etag else None
    return Found(key, int(size), etag, instant_ns(changed), None, checksum)


def _entries(root: Element) -> list[Found]:
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
    return found


def _prefixes(root: Element) -> list[str]:
    escaped = text(root, "EncodingType") == "url"
    return [
        decoded(text(entry, "Prefix")) if escaped else text(entry, "Prefix")
        for entry in root.iterfind(space(root) + "CommonPrefixes")
    ]


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
