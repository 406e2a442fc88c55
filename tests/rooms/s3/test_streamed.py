"""Parts that are read when they are sent: what arrives is proven to be what was digested before."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from runner.backends.contract.rule import children, read
from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Content, Digests
from runner.model.errors import Changed, Damaged
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.remote import Remote
from tests.lab.spoilt import Spoil
from tests.rooms.s3.conftest import Bucket
from tests.rooms.s3.test_parts import DATA, PART, put, uploads


class Known:
    """Bytes that are read from anywhere on.

    later: what parts are of; stop: where they hang for ever. reads: where each part that was read begins; most: how
    many were being read at the same time; told: how many bytes are said to have arrived.
    """

    def __init__(self, data: bytes = DATA, *, later: bytes | None = None, stop: int | None = None) -> None:
        self.data, self.later, self.stop = data, data if later is None else later, stop
        self.reads: list[int] = []
        self.told = self.most = self._open = 0

    async def digests(self, algorithm: str, size: int) -> Digests:
        """See `Spans`."""
        parts = [self.data[start : start + size] for start in range(0, len(self.data), size)]
        digests = [Checksum.of(algorithm, part).digest for part in parts]
        return Digests(len(self.data), Checksum.of(algorithm, self.data), digests)

    async def span(self, start: int, size: int) -> AsyncGenerator[bytes, None]:
        """See `Spans`."""
        self.reads.append(start)
        self._open += 1
        self.most = max(self.most, self._open)
        try:
            for at in range(start, start + size, CHUNK):
                if self.stop is not None and at >= self.stop:
                    await asyncio.sleep(3600)
                yield self.later[at : min(at + CHUNK, start + size)]
        finally:
            self._open -= 1

    def content(self) -> Content:
        """What is put."""

        def moved(count: int) -> None:
            self.told += count

        async def none() -> AsyncIterator[bytes]:
            raise AssertionError("it was read from the first byte to the last")
            yield b""

        return Content(
            len(self.data), none, mtime_ns=1_500_000_000_123_456_789, progress=moved, near=True, spans=self
        )


def test_each_part_is_read_once_and_proven(bucket: Bucket) -> None:
    known = Known()

    node = put(bucket, known.content())

    assert (node.size, node.checksum) == (len(DATA), Checksum.of("md5", DATA))
    assert bucket.use(lambda remote: read(remote, "big", expect=node.generation)) == DATA
    assert bucket.use(children)["big"] == node
    assert sorted(known.reads) == list(range(0, len(DATA), PART))
    assert known.told == len(DATA)


def test_a_slow_part_does_not_hold_up_the_others(bucket: Bucket) -> None:
    known = Known(DATA[: 26 << 20] + DATA[: 9 << 20])
    spans, fifth = known.span, asyncio.Event()

    async def slow(start: int, size: int) -> AsyncGenerator[bytes, None]:
        if start == 0:
            await asyncio.wait_for(fifth.wait(), 30)
        if start == 4 * PART:
            fifth.set()
        async with closing(spans(start, size)) as chunks:
            async for chunk in chunks:
                yield chunk

    known.span = slow  # type: ignore[method-assign]

    node = put(bucket, known.content())

    assert node.checksum == Checksum.of("md5", known.data)


@pytest.mark.slow
def test_however_large_it_is_few_parts_are_open(bucket: Bucket) -> None:
    known = Known(DATA * 3)

    put(bucket, known.content())

    assert len(known.reads) == 11
    assert known.most <= 4


@pytest.mark.parametrize("how", ["lost", "refused", "unsent"])
def test_a_part_is_read_anew_for_another_try(bucket: Bucket, how: str) -> None:
    bucket.engine.spoil(Spoil("PUT", "partNumber=2", how))  # type: ignore[arg-type]
    known = Known()

    put(bucket, known.content())

    assert bucket.use(lambda remote: read(remote, "big")) == DATA
    assert known.told == len(DATA)


def test_what_a_run_that_died_has_sent_is_not_even_read(bucket: Bucket) -> None:
    async def die(remote: Remote) -> None:
        task = asyncio.ensure_future(remote.put("big", Known(stop=11 << 20).content()))
        while len(await there(remote)) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def there(remote: Remote) -> dict[int, str]:
        parts = remote.backend._store._parts  # type: ignore[attr-defined]
        begun = parts._objects.heads.begun(parts._objects.place(bucket.name), "big")
        return {} if begun is None else dict(await parts._there(remote.backend._at("big"), begun.id))  # type: ignore[attr-defined]

    bucket.use(die, part=PART)
    known = Known()

    node = put(bucket, known.content())

    assert node.checksum == Checksum.of("md5", DATA)
    assert sorted(known.reads) == [2 * PART, 3 * PART]
    assert known.told == len(DATA)
    assert bucket.use(lambda remote: read(remote, "big")) == DATA


def test_content_that_changes_between_two_readings_is_not_published(bucket: Bucket) -> None:
    later = bytearray(DATA)
    later[PART + 5] ^= 1

    with pytest.raises(Changed):
        put(bucket, Known(later=bytes(later)).content())

    assert bucket.use(children) == {}
    assert uploads(bucket) == 0


def test_a_part_that_is_altered_on_the_way_is_damaged_and_given_up(bucket: Bucket) -> None:
    bucket.engine.spoil(Spoil("PUT", "partNumber=2", "altered", times=9))

    with pytest.raises(Damaged):
        put(bucket, Known().content())

    assert bucket.use(children) == {}
    assert uploads(bucket) == 0


def test_where_answers_stop_being_digests_what_is_sent_is_looked_at(bucket: Bucket) -> None:
    other = bytearray(DATA)
    other[-1] ^= 1

    async def act(remote: Remote) -> Node:
        await remote.put("first", Known().content())
        headers = (("x-amz-server-side-encryption", "aws:kms"),)
        parts = remote.backend._store._parts  # type: ignore[attr-defined]
        described = parts._objects.described
        parts._objects.described = lambda time: [*described(time), *headers]
        with pytest.raises(Changed):
            await remote.put("second", Known(later=bytes(other)).content())
        bucket.engine.spoil()
        return await remote.put("third", Known().content())

    bucket.use(act, part=PART)

    assert set(bucket.use(children)) == {"first", "third"}
    assert bucket.use(lambda remote: read(remote, "third")) == DATA
