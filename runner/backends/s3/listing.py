"""Listing a bucket, page by page."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from itertools import compress
from operator import lt
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from runner.backends.s3.documents import document, local, space, text
from runner.backends.s3.nodes import Found, bare, instant_ns, md5_of, whole_number
from runner.backends.s3.wire import Ask, S3Wire
from runner.model.errors import BadAnswer, Truncated
from runner.remote.close import closing
from runner.remote.http import Reply
from runner.remote.keyed import Page

PAGE = 1000
LAST = "\U0010ffff"
"""After a prefix, behind every key that begins with it and goes on with anything else."""

_TEXT = r"[^<&\x00-\x1f\ufffe\uffff]*"
_MORE = r"(?:<((?!Key|Size|ETag|LastModified|Contents)[A-Za-z]+)>" + _TEXT + r"</\{}>)*"
_ETAG = "[0-9a-f-]{32,40}"
_SIZE = "[0-9]{1,18}"
_ENTRY = re.compile(
    rf"(<Contents><Key>({_TEXT})</Key><LastModified>({_TEXT})</LastModified>"
    rf'<ETag>(?:&quot;|&#34;|")({_ETAG})(?:&quot;|&#34;|")</ETag>'
    + _MORE.format(5)
    + rf"<Size>({_SIZE})</Size>"
    + _MORE.format(7)
    + r"</Contents>)"
)
"""The form of an entry, with other elements that hold no more than text."""

_VALUES = ((2, _TEXT), (3, _TEXT), (4, _ETAG), (6, _SIZE))


_TOKEN = re.compile(rb"<NextContinuationToken>([!-%'-;=-~]{1,4096})</NextContinuationToken>")
_TRUNCATED = b"<IsTruncated>true</IsTruncated>"


class Entries(NamedTuple):
    """Objects of a page as columns of one length. changed: as the service writes it; etags: without quotes; bytes."""

    keys: Sequence[str]
    changed: Sequence[str]
    etags: Sequence[str]
    sizes: Sequence[int]

    def found(self) -> list[Found]:
        """Each."""
        return [
            Found(key, size, etag, instant_ns(changed), None, md5_of(etag))
            for key, changed, etag, size in zip(*self, strict=True)
        ]

    def only(self, wanted: Sequence[bool]) -> "Entries":
        """Those for which it is true."""
        if all(wanted):
            return self
        return Entries(*(list(compress(column, wanted)) for column in self))  # type: ignore[arg-type]


async def objects(
    wire: S3Wire, bucket: str, prefix: str, *, delimiter: str = "", most: int = PAGE
) -> AsyncGenerator[Page[Found], None]:
    """Yield what begins with the prefix; see `entries`."""
    async with closing(_pages(wire, bucket, _query(prefix, most, delimiter=delimiter))) as pages:
        async for found, root in pages:
            yield Page(found.found(), _prefixes(root))


async def entries(
    wire: S3Wire, bucket: str, prefix: str, *, after: str = "", most: int = PAGE
) -> AsyncGenerator[Entries, None]:
    """Yield what begins with the prefix, for who reads to the end: the next page is asked for while one is worked on.

    after: a key; only what stands behind it is listed. most: keys in a page.
    Raises NoBucket, and BadAnswer when pages go in circles or out of order.
    """
    async with closing(_pages(wire, bucket, _query(prefix, most, after=after), ahead=True)) as pages:
        async for found, _ in pages:
            yield found


def _query(prefix: str, most: int, *, delimiter: str = "", after: str = "") -> dict[str, str]:
    query = {"list-type": "2", "prefix": prefix, "max-keys": str(most), "encoding-type": "url"}
    if delimiter:
        query["delimiter"] = delimiter
    if after:
        query["start-after"] = after
    return query


async def _pages(
    wire: S3Wire, bucket: str, query: dict[str, str], *, ahead: bool = False
) -> AsyncGenerator[tuple[Entries, Element], None]:
    tokens: set[str] = set()
    last = ""
    asked: asyncio.Task[Reply] | None = None
    try:
        while True:
            reply = await (wire.call(Ask("GET", bucket, query=query)) if asked is None else asked)
            asked, begun = None, _next(reply.body) if ahead else ""
            if begun and begun not in tokens:
                query["continuation-token"] = begun
                asked = asyncio.ensure_future(wire.call(Ask("GET", bucket, query=dict(query))))
                await asyncio.sleep(0)  # it is on its way before this page is read
            found, root = read(reply.body)
            if local(root) != "ListBucketResult":
                raise BadAnswer(f"a listing was asked for, and {local(root)!r} came")
            more, token = text(root, "IsTruncated") == "true", text(root, "NextContinuationToken")
            if more and token and token in tokens:
                raise BadAnswer("a listing that goes round in circles: its next page was there before")
            if asked is not None and (not more or token != begun):
                await _dropped(asked)
                asked = None
            tokens.add(token)
            query["continuation-token"] = token
            keys = found.keys
            if (keys and not (keys[0] > last or not last)) or not all(map(lt, keys, keys[1:])):
                raise BadAnswer("a listing that is not in the order of bytes")
            last = keys[-1] if keys else last
            yield found, root
            if not more:
                return
            if not token:
                raise Truncated("a listing that breaks off: it says that more follows, and not where")
    finally:
        if asked is not None:
            await _dropped(asked)


async def _dropped(asked: asyncio.Task[Reply]) -> None:
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


def _next(body: bytes) -> str:
    """What the next page is likely to be asked for with, without reading this one; "" where that is not to be seen."""
    found = _TOKEN.findall(body)
    return found[0].decode() if len(found) == 1 and body.count(_TRUNCATED) == 1 else ""


def read(body: bytes) -> tuple[Entries, Element]:
    """The objects of a page, and the page; raises BadAnswer.

    Nearly all servers write the entries in one form and next to each other. Those are read by it, every byte of them,
    and the rest as a document; what does not fit is a document as a whole.
    """
    start, end = body.find(b"<Contents>"), body.rfind(b"</Contents>") + len(b"</Contents>")
    if start > 0 and end > start:
        with suppress(UnicodeDecodeError):
            columns = _usual(body[start:end].decode())
            if columns is not None:
                root = document(body[:start] + body[end:])
                if root.find(space(root) + "Contents") is None:
                    keys, changed, etags, sizes = columns
                    if text(root, "EncodingType") == "url":
                        keys = _decoded(keys)
                    return Entries(keys, changed, etags, list(map(int, sizes))), root
    root = document(body)
    return _entries(root), root


def _usual(inner: str) -> Sequence[Sequence[str]] | None:
    """Columns of entries in the usual form. Nearly all entries of a page differ in four values and nothing else."""
    first = _ENTRY.match(inner)
    if first is None:
        return None
    form, at = "", 0
    for group, value in _VALUES:
        form += f"{re.escape(inner[at : first.start(group)])}({value})"
        at = first.end(group)
    form += re.escape(inner[at : first.end()])
    around = first.end() - sum(first.end(group) - first.start(group) for group, _ in _VALUES)
    rows = re.findall(form, inner)
    columns = list(zip(*rows, strict=True))
    if around * len(rows) + sum(sum(map(len, column)) for column in columns) == len(inner):
        return columns
    entries = _ENTRY.findall(inner)
    if sum([len(entry[0]) for entry in entries]) != len(inner):
        return None
    return [[entry[group - 1] for entry in entries] for group, _ in _VALUES]


def _entries(root: Element) -> Entries:
    namespace = space(root)
    names = tuple(namespace + name for name in ("Key", "LastModified", "ETag", "Size"))
    rows = []
    for entry in root.iterfind(namespace + "Contents"):
        fields = {child.tag: child.text for child in entry}
        key, changed, etag, size = (fields.get(name) or "" for name in names)
        rows.append((key, changed if changed.isprintable() else "", bare(etag), whole_number(size)))
    keys, changes, etags, sizes = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Entries(_decoded(keys) if text(root, "EncodingType") == "url" else keys, changes, etags, sizes)


def _decoded(keys: Sequence[str]) -> Sequence[str]:
    """Keys as they are, decoded all at once where that is the same."""
    joined = "\n".join(keys)
    if "%" not in joined and "+" not in joined:
        return keys
    found = decoded(joined).split("\n")
    return found if len(found) == len(keys) else [decoded(key) for key in keys]


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
