"""What no listing carries: times, and digests of what was stored in parts. Asked for once, and remembered."""

import asyncio
from collections.abc import Sequence

from runner.backends.s3.nodes import Found, digests
from runner.backends.s3.objects import Objects
from runner.model.node import Node
from runner.remote.dated import At
from runner.state.heads import Head

_ASKED_AT_ONCE = 32


class Unlisted:
    """By key and ETag, of all buckets."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def timed(self, ats: Sequence[At], nodes: Sequence[Node]) -> Sequence[Node]:
        """The nodes that are there, with their times; a HEAD for each that was never asked about."""
        door = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(at: At, node: Node) -> Node:
            async with door:
                found = await self._objects.find(at)
            if found is None or found.etag != node.generation:
                return node
            return node._replace(mtime_ns=found.mtime_ns, checksum=node.checksum or found.checksum)

        known = self._known(ats)
        result = list(nodes)
        asked = []
        for number, (at, node) in enumerate(zip(ats, result, strict=True)):
            head = known.get(at)
            if head is not None and head.generation == node.generation:
                result[number] = node._replace(
                    mtime_ns=head.mtime_ns, checksum=node.checksum or head.checksum
                )
            else:
                asked.append(number)
        answers = await asyncio.gather(*(ask(ats[number], result[number]) for number in asked))
        for number, node in zip(asked, answers, strict=True):
            result[number] = node
        return result

    def digested(self, bucket: str, found: list[Found]) -> list[Found]:
        """With the digests that are remembered of what was stored in parts."""
        parted = [At(bucket, one.key) for one in found if one.checksum is None]
        if not parted:
            return found
        known = self._known(parted)
        return [
            one._replace(checksum=head.checksum)
            if one.checksum is None
            and (head := known.get(At(bucket, one.key))) is not None
            and head.generation == one.etag
            else one
            for one in found
        ]

    def digests(self, bucket: str, keys: Sequence[str], etags: Sequence[str]) -> Sequence[str]:
        """MD5s by what the ETags say, and by what is remembered of what was stored in parts; "" where nobody knows."""
        found = digests(etags)
        if found is etags:
            return found
        parted = [key for key, digest in zip(keys, found, strict=True) if not digest]
        known = self._objects.heads.known(self._objects.place(bucket), parted) if parted else {}
        result = list(found)
        for number, (key, etag) in enumerate(zip(keys, etags, strict=True)):
            head = None if result[number] else known.get(key)
            if head is not None and head.generation == etag and head.checksum is not None:
                result[number] = head.checksum.digest
        return result

    def _known(self, ats: Sequence[At]) -> dict[At, Head]:
        found: dict[At, Head] = {}
        for bucket in {at.bucket for at in ats}:
            keys = [at.key for at in ats if at.bucket == bucket]
            heads = self._objects.heads.known(self._objects.place(bucket), keys)
            found.update({At(bucket, key): head for key, head in heads.items()})
        return found
