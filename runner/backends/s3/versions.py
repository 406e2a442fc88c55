"""The trash of a bucket that keeps versions: what was replaced or removed is there still, under its own key."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

from runner.backends.s3.copies import Copies
from runner.backends.s3.documents import document, local, text
from runner.backends.s3.listing import decoded
from runner.backends.s3.nodes import Found, bare, instant_ns, md5_of, whole_number
from runner.backends.s3.objects import Objects
from runner.backends.s3.wire import Ask
from runner.model import path as paths
from runner.model.backend import Trashed
from runner.model.errors import BadAnswer, NotFound
from runner.remote.dated import At

_WORD = "version:"
_MOST_ID = 1024


class Kept(NamedTuple):
    """One version of an object. path: where it is, below the remote's root."""

    version: str
    path: str


class Versions:
    """Refs are `version:<id>:<path>`."""

    def __init__(self, objects: Objects, copies: Copies) -> None:
        self._objects = objects
        self._copies = copies
        self._on: dict[str, bool] = {}

    async def on(self, bucket: str) -> bool:
        """Does the bucket keep versions? Asked once a run: what was on yesterday may be off."""
        if bucket not in self._on:
            root = document(
                (await self._objects.wire.call(Ask("GET", bucket, query={"versioning": ""}))).body
            )
            self._on[bucket] = text(root, "Status") == "Enabled"
        return self._on[bucket]

    @staticmethod
    def ref(found: Found, above: str) -> str:
        """What brings this version back."""
        return f"{_WORD}{found.version}:{found.key[len(above) :]}"

    @staticmethod
    def named(ref: str) -> bool:
        """Is it the ref of a version?"""
        return ref.startswith(_WORD)

    async def found(
        self, bucket: str, above: str, *, path: str = "", hidden: str = ""
    ) -> AsyncGenerator[list[Trashed], None]:
        """Yield every version that is not the newest of its key, paths counted from the remote's root.

        path: only of keys that begin with it; hidden: what keys begin with that are no user's. When: that of what
        came after it.
        """
        query = {"versions": "", "prefix": above + path, "max-keys": "1000", "encoding-type": "url"}
        last_key, after_ns = "", None
        while True:
            root = document((await self._objects.wire.call(Ask("GET", bucket, query=query))).body)
            if local(root) != "ListVersionsResult":
                raise BadAnswer(f"a list of versions was asked for, and {local(root)!r} came")
            escaped, entries = text(root, "EncodingType") == "url", list[Trashed]()
            for entry in root:
                kind = local(entry)
                if kind not in ("Version", "DeleteMarker"):
                    continue
                key = decoded(text(entry, "Key")) if escaped else text(entry, "Key")
                if key != last_key:
                    last_key, after_ns = key, None
                changed_ns = instant_ns(text(entry, "LastModified"))
                if (
                    kind == "Version"
                    and text(entry, "IsLatest") != "true"
                    and not (hidden and key.startswith(hidden))
                ):
                    entries.append(
                        self._entry(
                            above,
                            self._version(
                                key,
                                (text(entry, "Size"), text(entry, "ETag"), text(entry, "VersionId")),
                                changed_ns,
                            ),
                            after_ns,
                        )
                    )
                after_ns = changed_ns
            yield entries
            if text(root, "IsTruncated") != "true":
                return
            marker = text(root, "NextKeyMarker")
            query["key-marker"] = decoded(marker) if escaped else marker
            query["version-id-marker"] = text(root, "NextVersionIdMarker")

    async def kept(self, bucket: str, above: str, ref: str) -> Trashed:
        """One version. Raises NotFound."""
        kept = self._parsed(ref)
        wanted = (await self._objects.head(At(bucket, above + kept.path), kept.version)).etag
        async for page in self.found(bucket, above, path=kept.path):
            for entry in page:
                if self._parsed(entry.ref).version == kept.version and entry.node.generation == wanted:
                    return entry
        raise NotFound(f"{paths.show(ref)!r} is not in the trash: it stands at its path")

    async def restore(self, bucket: str, above: str, ref: str, goal: str) -> None:
        """Copy the version to the path, at which nothing is, and then give the version itself up."""
        kept = self._parsed(ref)
        at = At(bucket, above + kept.path)
        found = await self._objects.head(at, kept.version)
        await self._copies.copy(at, At(bucket, above + goal), found, version=kept.version)
        await self._objects.remove(at, expect=None, version=kept.version)

    @staticmethod
    def _version(key: str, fields: tuple[str, str, str], changed_ns: int | None) -> Found:
        size, etag, version = fields
        digest = md5_of(bare(etag))
        return Found(key, whole_number(size), bare(etag), changed_ns, None, digest, version)

    def _entry(self, above: str, found: Found, when_ns: int | None) -> Trashed:
        return Trashed(self.ref(found, above), found.key[len(above) :], found.node(), when_ns)

    @staticmethod
    def _parsed(ref: str) -> Kept:
        version, _, path = ref.removeprefix(_WORD).partition(":")
        good = version and version.isascii() and version.isprintable() and len(version) <= _MOST_ID
        if not good or not path or any(map(paths.fault, path.split("/"))):
            raise NotFound(f"{paths.show(ref)!r} is no version of anything")
        return Kept(version, path)
