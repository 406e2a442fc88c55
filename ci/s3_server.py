#!/usr/bin/env python3
"""A store that speaks enough of S3 for benchmarks: in memory, in one process, and cheap.

Usage: ci/s3_server.py [--port N] [--latency SECONDS] [--watch-stdin]

A small PUT costs it 25 us besides the sockets, a GET 11, a page that was listed before less. A large body is read into
the memory where it stays, and parts are put together by naming them: 1 s a GiB. It prints a JSON line with its address
when it answers. It does NOT check signatures, keys, regions, dates, payload digests or the sizes of parts, knows no
versions, ACLs, tags or encryption, forgets everything when it ends, and believes a Content-MD5: that is the ETag then.
Without one the ETag of up to 1 MiB is its MD5, of more it is no digest. What it does check: conditions
(`If-None-Match: *`, `If-Match`, also of copies), and that there are the parts which are put together. So it says how
fast a client is, and nothing of whether it is right; for that the tests have servers.

Everything below `/-/` is for who measures: `/-/counts` tells requests by kind and begins anew, `/-/latency?s=0.02`
holds back each answer from now on, `/-/fill?bucket=B&folder=F` takes in a tree of files as if rclone had stored it,
`/-/seed?bucket=B&number=N` makes so many small objects, `/-/stored?bucket=B&prefix=P` is a digest of what is there.
"""

import argparse
import asyncio
import base64
import bisect
import hashlib
import json
import mmap
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

DIGESTED = 1 << 20
_BUFFER = 1 << 18
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Joined:
    """Content of several parts, where they are."""

    def __init__(self, pieces: Sequence[bytes | mmap.mmap]) -> None:
        self.pieces = pieces
        self._size = sum(map(len, pieces))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, span: slice) -> bytes:
        return b"".join(self.pieces)[span]


Content = bytes | mmap.mmap | Joined


class Thing(NamedTuple):
    """An object. etag: without quotes; kept: headers that come back with it; changed: seconds since 1970."""

    data: Content
    etag: str
    kept: bytes
    changed: int


class Bucket:
    """Objects by key; what was listed is remembered until something changes."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.keys: list[str] | None = None
        self.pages: dict[str, bytes] = {}

    def put(self, key: str, thing: Thing) -> None:
        """Store it."""
        self.things[key] = thing
        self.changed()

    def changed(self) -> None:
        """Forget what was listed."""
        if self.keys is not None:
            self.keys = None
            self.pages.clear()

    def sorted(self) -> list[str]:
        """Keys in byte order, which is the order of code points."""
        if self.keys is None:
            self.keys = sorted(self.things)
        return self.keys


class Store:
    """All there is."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.buckets: dict[str, Bucket] = {}
        self.uploads: dict[str, tuple[bytes, dict[int, Thing]]] = {}
        self.counts: Counter[str] = Counter()
        self.number = 0


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: str, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


KEPT = (b"x-amz-meta-", b"content-type:", b"cache-control:", b"content-encoding:")


def memory(size: int) -> mmap.mmap:
    """Room for a large body, in large pages where there are such: page by page it costs more to get than to fill."""
    made = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            made.madvise(mmap.MADV_HUGEPAGE)
    return made


class Talk(asyncio.BufferedProtocol):
    """One connection: a request, its answer, the next request. buffer: for all that comes but large bodies."""

    def __init__(self, store: Store, buffer: memoryview) -> None:
        self.store, self.buffer = store, buffer
        self.held = b""
        self.head: bytes | None = None
        self.body: mmap.mmap | None = None
        self.room: memoryview | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go to."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def get_buffer(self, _: int) -> memoryview:
        """The rest of the body that is under way, and else what all connections share."""
        return self.buffer if self.room is None else self.room

    def buffer_updated(self, count: int) -> None:
        """Answer as soon as a request is whole; of a body only its length is looked at."""
        if self.room is None:
            self.heard(bytes(self.buffer[:count]))
            return
        self.room = self.room[count:]
        if not self.room:
            head, body, self.head, self.body, self.room = self.head, self.body, None, None, None
            assert head is not None
            assert body is not None
            self.answer(head, body)

    def heard(self, data: bytes) -> None:
        """Bytes of a request that is not known to be large."""
        self.held += data
        if self.head is None:
            end = self.held.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head, self.held = self.held[: end + 2], self.held[end + 4 :]
            if b"100-continue" in self.head:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size, came = int(field(self.head, b"content-length") or 0), len(self.held)
        if came >= size:
            head, body, self.head, self.held = self.head, self.held, None, b""
            self.answer(head, body)
        elif size > DIGESTED:
            self.body = memory(size)
            self.body[:came] = self.held
            self.room, self.held = memoryview(self.body)[came:], b""

    def answer(self, head: bytes, body: bytes | mmap.mmap) -> None:
        """Do what is asked for, and say so, late where that is wanted."""
        line = head[: head.index(b"\r\n")].decode()
        method, target, _ = line.split(" ")
        path, _, query = target.partition("?")
        try:
            if path.startswith("/-/"):
                said = measured(self.store, path[3:], dict(parse_qsl(query)))
            else:
                said = served(self.store, method, unquote(path), query, head, body)
        except Refused as error:
            text = b"" if method == "HEAD" else f"<Error><Code>{error.code}</Code></Error>".encode()
            said = answer(error.status, text, b"Content-Type: application/xml\r\n")
        if self.store.latency_s and not path.startswith("/-/"):
            asyncio.get_running_loop().call_later(self.store.latency_s, self.transport.write, said)
        else:
            self.transport.write(said)


def pieces(thing: Thing) -> Sequence[bytes | mmap.mmap]:
    """Its content, as it lies in memory."""
    return thing.data.pieces if isinstance(thing.data, Joined) else [thing.data]


def field(head: bytes, name: bytes) -> bytes | None:
    """A header; names are looked for as Go and we write them, and in lower case."""
    for form in (name, name.title()):
        at = head.find(b"\r\n" + form + b":")
        if at >= 0:
            start = at + len(form) + 3
            return head[start : head.index(b"\r\n", start)].strip()
    return None


def answer(status: str, body: bytes = b"", headers: bytes = b"", length: int | None = None) -> bytes:
    """An answer as it goes over the wire."""
    size = len(body) if length is None else length
    return (
        b"HTTP/1.1 %b\r\nServer: bench\r\nDate: %b\r\nContent-Length: %d\r\n%b\r\n"
        % (status.encode(), now(), size, headers)
    ) + body


_NOW: list[tuple[int, bytes]] = [(0, b"")]


def now() -> bytes:
    """The date, made once a second."""
    second = int(time.time())
    if _NOW[0][0] != second:
        _NOW[0] = (second, formatdate(second, usegmt=True).encode())
    return _NOW[0][1]


def xml(inner: str, status: str = "200 OK") -> bytes:
    """An answer that is a document."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{inner}'.encode()
    return answer(status, text, b"Content-Type: application/xml\r\n")


def served(store: Store, method: str, path: str, query: str, head: bytes, body: bytes | mmap.mmap) -> bytes:
    """The answer to a request of S3."""
    name, _, key = path[1:].partition("/")
    count = store.counts
    if not name:
        count["LIST buckets"] += 1
        inner = "".join(f"<Bucket><Name>{one}</Name></Bucket>" for one in store.buckets)
        return xml(f"<ListAllMyBucketsResult {XMLNS}><Buckets>{inner}</Buckets></ListAllMyBucketsResult>")
    bucket = store.buckets.get(name)
    if not key:
        return of_bucket(store, name, bucket, method, dict(parse_qsl(query, keep_blank_values=True)))
    if bucket is None:
        raise Refused("404 Not Found", "NoSuchBucket")
    if "upload" in query:
        return of_upload(
            store, bucket, key, method, dict(parse_qsl(query, keep_blank_values=True)), head, body
        )
    if method == "PUT":
        source = field(head, b"x-amz-copy-source")
        count["COPY" if source else "PUT"] += 1
        guarded(bucket, key, head)
        if source:
            return copied(store, bucket, key, source, head)
        thing = Thing(body, etag_of(head, body), kept(head), int(time.time()))
        bucket.put(key, thing)
        return answer("200 OK", b"", b'ETag: "%b"\r\n' % thing.etag.encode())
    thing = bucket.things.get(key)  # type: ignore[assignment]
    count[method] += 1
    if method == "DELETE":
        if thing is not None:
            guarded(bucket, key, head)
            del bucket.things[key]
            bucket.changed()
        return answer("204 No Content")
    if thing is None:
        raise Refused("404 Not Found", "NoSuchKey")
    if (wanted := field(head, b"if-match")) is not None and wanted.strip(b'"').decode() != thing.etag:
        raise Refused("412 Precondition Failed", "PreconditionFailed")
    return shown(thing, method, field(head, b"range"))


def shown(thing: Thing, method: str, span: bytes | None) -> bytes:
    """An object, or a piece of it."""
    changed = formatdate(thing.changed, usegmt=True).encode()
    headers = b'ETag: "%b"\r\nLast-Modified: %b\r\nAccept-Ranges: bytes\r\n%b' % (
        thing.etag.encode(), changed, thing.kept,
    )  # fmt: skip
    if method == "HEAD":
        return answer("200 OK", b"", headers, len(thing.data))
    if span is None:
        return answer("200 OK", thing.data[:], headers)
    first, _, last = span.decode().removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or len(thing.data) - 1), len(thing.data) - 1)
    headers += b"Content-Range: bytes %d-%d/%d\r\n" % (start, end, len(thing.data))
    return answer("206 Partial Content", thing.data[start : end + 1], headers)


def etag_of(head: bytes, body: bytes | mmap.mmap) -> str:
    """Its MD5, as the client says or as it is; of large bodies without a word nothing that is a digest."""
    told = field(head, b"content-md5")
    if told:
        return base64.b64decode(told).hex()
    if len(body) <= DIGESTED:
        return hashlib.md5(body, usedforsecurity=False).hexdigest()
    return f"{len(body):x}-{id(body):x}-unread"


def kept(head: bytes) -> bytes:
    """The headers that come back."""
    lines = [line for line in head.split(b"\r\n")[1:] if line[:16].lower().startswith(KEPT)]
    return b"".join(line + b"\r\n" for line in lines)


def guarded(bucket: Bucket, key: str, head: bytes) -> None:
    """Hold a write against its conditions."""
    there = bucket.things.get(key)
    if there is not None and field(head, b"if-none-match") == b"*":
        raise Refused("412 Precondition Failed", "PreconditionFailed")
    wanted = field(head, b"if-match")
    if wanted is not None and (there is None or wanted.strip(b'"').decode() != there.etag):
        raise Refused("412 Precondition Failed", "PreconditionFailed")


def copied(store: Store, bucket: Bucket, key: str, source: bytes, head: bytes) -> bytes:
    """A copy of an object, with its headers unless others are given."""
    from_bucket, _, from_key = unquote(source.decode()).lstrip("/").partition("/")
    thing = store.buckets[from_bucket].things.get(from_key) if from_bucket in store.buckets else None
    if thing is None:
        raise Refused("404 Not Found", "NoSuchKey")
    wanted = field(head, b"x-amz-copy-source-if-match")
    if wanted is not None and wanted.strip(b'"').decode() != thing.etag:
        raise Refused("412 Precondition Failed", "PreconditionFailed")
    headers = kept(head) if field(head, b"x-amz-metadata-directive") == b"REPLACE" else thing.kept
    bucket.put(key, thing._replace(kept=headers, changed=int(time.time())))
    return xml(f'<CopyObjectResult {XMLNS}><ETag>"{thing.etag}"</ETag></CopyObjectResult>')


def of_upload(
    store: Store,
    bucket: Bucket,
    key: str,
    method: str,
    query: dict[str, str],
    head: bytes,
    body: bytes | mmap.mmap,
) -> bytes:
    """Uploads in parts."""
    upload = query.get("uploadId", "")
    if method == "POST" and "uploads" in query:
        store.counts["POST begin"] += 1
        store.number += 1
        store.uploads[f"upload-{store.number}"] = (kept(head), {})
        inner = f"<Key>{escape(key)}</Key><UploadId>upload-{store.number}</UploadId>"
        return xml(f"<InitiateMultipartUploadResult {XMLNS}>{inner}</InitiateMultipartUploadResult>")
    if upload not in store.uploads:
        raise Refused("404 Not Found", "NoSuchUpload")
    headers, parts = store.uploads[upload]
    if method == "PUT":
        store.counts["PUT part"] += 1
        etag = etag_of(head, body)
        parts[int(query["partNumber"])] = Thing(body, etag, b"", 0)
        return answer("200 OK", b"", b'ETag: "%b"\r\n' % etag.encode())
    if method == "DELETE":
        store.counts["DELETE upload"] += 1
        del store.uploads[upload]
        return answer("204 No Content")
    if method == "GET":
        store.counts["LIST parts"] += 1
        inner = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{part.etag}"</ETag><Size>{len(part.data)}</Size></Part>'
            for number, part in sorted(parts.items())
        )
        return xml(f"<ListPartsResult {XMLNS}><IsTruncated>false</IsTruncated>{inner}</ListPartsResult>")
    store.counts["POST complete"] += 1
    guarded(bucket, key, head)
    whole = [part for _, part in sorted(parts.items())]
    joined = hashlib.md5("".join(part.etag for part in whole).encode(), usedforsecurity=False).hexdigest()
    if all(len(part.etag) == 32 for part in whole):
        binary = b"".join(bytes.fromhex(part.etag) for part in whole)
        joined = hashlib.md5(binary, usedforsecurity=False).hexdigest()
    etag = f"{joined}-{len(whole)}"
    bucket.put(
        key,
        Thing(Joined([piece for part in whole for piece in pieces(part)]), etag, headers, int(time.time())),
    )
    del store.uploads[upload]
    inner = f'<Key>{escape(key)}</Key><ETag>"{etag}"</ETag>'
    return xml(f"<CompleteMultipartUploadResult {XMLNS}>{inner}</CompleteMultipartUploadResult>")


def of_bucket(store: Store, name: str, bucket: Bucket | None, method: str, query: dict[str, str]) -> bytes:
    """Buckets: made, looked for, listed."""
    if method == "PUT":
        store.counts["PUT bucket"] += 1
        store.buckets.setdefault(name, Bucket())
        return answer("200 OK")
    if bucket is None:
        raise Refused("404 Not Found", "NoSuchBucket")
    if method == "HEAD":
        store.counts["HEAD bucket"] += 1
        return answer("200 OK")
    for word in ("versioning", "location"):
        if word in query:
            store.counts[f"GET {word}"] += 1
            kind = {"versioning": "VersioningConfiguration", "location": "LocationConstraint"}[word]
            return xml(f"<{kind} {XMLNS}/>")
    store.counts["LIST"] += 1
    words = (
        "prefix",
        "delimiter",
        "list-type",
        "continuation-token",
        "start-after",
        "marker",
        "encoding-type",
    )
    sign = repr([query.get("max-keys", "1000"), *(query.get(word, "") for word in words)])
    if bucket.keys is None or sign not in bucket.pages:
        page = listed(bucket, name, query)  # sorts, which forgets nothing
        bucket.pages[sign] = page
    return bucket.pages[sign]


def listed(bucket: Bucket, name: str, query: dict[str, str]) -> bytes:
    """A page of a listing, of either version."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    most, two = int(query.get("max-keys", 1000)), query.get("list-type") == "2"
    after = query.get("continuation-token") or query.get("start-after") or query.get("marker") or ""
    coded = quote if query.get("encoding-type") == "url" else escape
    keys, at = bucket.sorted(), 0
    at = bisect.bisect_left(keys, prefix)
    if after:
        at = max(at, bisect.bisect_right(keys, after))
    lines: list[str] = []
    below: list[str] = []
    last = ""
    while at < len(keys) and keys[at].startswith(prefix) and len(lines) + len(below) < most:
        key = keys[at]
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            last = key[: cut + 1] + "\U0010ffff"
            below.append(f"<CommonPrefixes><Prefix>{coded(key[: cut + 1])}</Prefix></CommonPrefixes>")
            at = bisect.bisect_left(keys, last, at)
            continue
        thing, last, at = bucket.things[key], key, at + 1
        lines.append(
            f"<Contents><Key>{coded(key)}</Key><LastModified>{stamp(thing.changed)}</LastModified>"
            f"<ETag>&quot;{thing.etag}&quot;</ETag><Size>{len(thing.data)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    more = at < len(keys) and keys[at].startswith(prefix)
    inner = [f"<Name>{name}</Name><Prefix>{coded(prefix)}</Prefix><MaxKeys>{most}</MaxKeys>"]
    inner.append(f"<IsTruncated>{str(more).lower()}</IsTruncated>")
    inner.append("<EncodingType>url</EncodingType>" if coded is quote else "")
    if more:
        word = "NextContinuationToken" if two else "NextMarker"
        inner.append(f"<{word}>{escape(last) if two else coded(last)}</{word}>")
    return xml(f"<ListBucketResult {XMLNS}>{''.join([*inner, *lines, *below])}</ListBucketResult>")


def stamp(changed: int) -> str:
    """A time as listings write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(changed))


def measured(store: Store, verb: str, query: dict[str, str]) -> bytes:
    """What is asked by who measures."""
    found: object = {}
    if verb == "counts":
        found, store.counts = dict(store.counts), Counter()
    elif verb == "latency":
        store.latency_s = float(query["s"])
    elif verb == "clear":
        store.buckets.pop(query["bucket"], None)
    elif verb == "fill":
        filled(store.buckets.setdefault(query["bucket"], Bucket()), query["folder"])
    elif verb == "seed":
        seeded(store.buckets.setdefault(query["bucket"], Bucket()), int(query["number"]))
    elif verb == "stored":
        bucket, prefix = store.buckets.get(query["bucket"], Bucket()), query.get("prefix", "")
        found = stored(bucket, prefix)
    return answer("200 OK", json.dumps(found).encode())


def filled(bucket: Bucket, folder: str) -> None:
    """Take in a tree."""
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                data = file.read()
            mtime_ns = os.stat(path).st_mtime_ns
            header = b"x-amz-meta-mtime: %d.%09d\r\n" % divmod(mtime_ns, 10**9)
            digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
            bucket.put(os.path.relpath(path, folder), Thing(data, digest, header, 1_600_000_000))


def seeded(bucket: Bucket, number: int) -> None:
    """Make objects with one content."""
    data = b"x" * 16
    thing = Thing(data, hashlib.md5(data, usedforsecurity=False).hexdigest(), b"", 1_600_000_000)
    for one in range(number):
        bucket.things[f"{one // 10_000:04}/{one // 100 % 100:02}/file-{one:07}.dat"] = thing
    bucket.changed()


def stored(bucket: Bucket, prefix: str) -> str:
    """How many objects there are, and a digest of their keys, sizes and true MD5s, as `trees.py stored` makes it."""
    count, total = 0, 0
    for key, thing in bucket.things.items():
        if not key.startswith(prefix) or ".acdrun-trash/" in key:
            continue
        digest = hashlib.md5(usedforsecurity=False)
        for piece in pieces(thing):
            digest.update(piece)
        one = hashlib.sha256(f"{key[len(prefix) :]} {len(thing.data)} {digest.hexdigest()}".encode()).digest()
        count, total = count + 1, (total + int.from_bytes(one[:16], "big")) % (1 << 128)
    return f"{count} {total:032x}"


async def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="seconds before each answer")
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    store, loop = Store(options.latency), asyncio.get_running_loop()
    buffer = memoryview(bytearray(_BUFFER))
    server = await loop.create_server(lambda: Talk(store, buffer), "127.0.0.1", options.port, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    if options.watch_stdin:
        await loop.run_in_executor(None, sys.stdin.read)
    else:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
