"""Content in parts: gone on with after a death, given up when it is old, and never seen before its end."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from runner.backends.contract.rule import children, read
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import Changed, Damaged, Denied, Exists
from runner.model.node import Node
from runner.remote.remote import Remote
from tests.lab.spoilt import Spoil
from tests.rooms.s3.conftest import Bucket

PART = 5 << 20
DATA = bytes(range(256)) * ((17 << 20) // 256) + b"end"
"""Four parts, the last one small; more than what is stored in one piece."""


def content(data: bytes = DATA, stop: int | None = None, *, near: bool = True) -> Content:
    """These bytes; where `stop` is given, the source hangs there for ever on its last pass."""
    passes = iter([None, stop] if near else [stop])

    async def source() -> AsyncIterator[bytes]:
        at = next(passes, stop)
        for start in range(0, len(data), 1 << 20):
            if at is not None and start >= at:
                await asyncio.sleep(3600)
            yield data[start : start + (1 << 20)]

    return Content(len(data), source, mtime_ns=1_500_000_000_123_456_789, near=near)


def put(bucket: Bucket, what: Content, expect: str | None = None) -> Node:
    """Store it in parts of 5 MiB, the least that there is."""
    return bucket.use(lambda remote: remote.put("big", what, expect=expect), part=PART)


def die_midway(bucket: Bucket) -> None:
    """A run that is killed once two parts are there."""

    async def act(remote: Remote) -> None:
        task = asyncio.ensure_future(remote.put("big", content(stop=11 << 20)))
        while bucket.engine.count("PUT", "partNumber=2") == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    bucket.use(act, part=PART)


def uploads(bucket: Bucket) -> int:
    """How many uploads in parts the service keeps for the bucket."""
    from runner.backends.s3.wire import Ask

    async def ask(remote: Remote) -> int:
        reply = await remote.backend._wire.call(Ask("GET", bucket.name, query={"uploads": ""}))  # type: ignore[attr-defined]
        return int(reply.body.count(b"<UploadId>"))

    return bucket.use(ask)


def test_content_in_parts_comes_back_with_time_and_digest(bucket: Bucket) -> None:
    node = put(bucket, content())

    assert (node.size, node.checksum) == (len(DATA), Checksum.of("md5", DATA))
    assert node.generation.endswith("-4")
    assert bucket.use(lambda remote: read(remote, "big", expect=node.generation)) == DATA
    listed = bucket.use(children)["big"]
    assert listed == node
    assert bucket.use(lambda remote: remote.stat("big")) == node
    assert uploads(bucket) == 0


@pytest.mark.slow
def test_its_digest_is_known_to_who_never_saw_it_stored(bucket: Bucket) -> None:
    node = put(bucket, content())
    bucket.state = bucket.state.with_name("another machine")

    assert bucket.use(lambda remote: remote.stat("big")) == node


@pytest.mark.slow
def test_content_that_can_be_read_only_once_is_remembered_by_what_was_sent(bucket: Bucket) -> None:
    put(bucket, content(near=False))

    listed = bucket.use(children)["big"]

    assert listed.checksum == Checksum.of("md5", DATA)


def test_a_run_that_died_is_gone_on_with(bucket: Bucket) -> None:
    die_midway(bucket)
    assert bucket.use(children) == {}
    assert uploads(bucket) == 1
    bucket.engine.spoil()

    node = put(bucket, content())

    assert node.checksum == Checksum.of("md5", DATA)
    assert bucket.engine.count("PUT", "partNumber=1&") == bucket.engine.count("PUT", "partNumber=2&") == 0
    assert bucket.engine.count("PUT", "partNumber=3&") == bucket.engine.count("PUT", "partNumber=4&") == 1
    assert bucket.use(lambda remote: read(remote, "big")) == DATA
    assert uploads(bucket) == 0


@pytest.mark.slow
def test_other_content_does_not_go_on_with_it(bucket: Bucket) -> None:
    die_midway(bucket)
    other = DATA[::-1]

    put(bucket, content(other))

    assert bucket.use(lambda remote: read(remote, "big")) == other
    assert uploads(bucket) == 0


@pytest.mark.slow
def test_an_upload_that_is_gone_is_begun_anew(bucket: Bucket) -> None:
    die_midway(bucket)
    body = b"<Error><Code>NoSuchUpload</Code></Error>"
    bucket.engine.spoil(Spoil("GET", "uploadId", "refused", status=404, body=body))

    put(bucket, content())

    assert bucket.use(lambda remote: read(remote, "big")) == DATA


@pytest.mark.slow
def test_what_was_begun_long_ago_is_given_up_by_the_next_write(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_midway(bucket)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 8 * 86400)

    async def other(remote: Remote) -> Node:
        return await remote.put("other", content())

    monkeypatch.setattr("runner.backends.s3.sign.datetime", __import__("datetime").datetime)
    bucket.use(other, part=PART)

    assert uploads(bucket) == 0


def test_a_lost_word_at_the_end_is_looked_for(bucket: Bucket) -> None:
    bucket.engine.spoil(Spoil("POST", "uploadId", "lost"))

    node = put(bucket, content())

    assert node.checksum == Checksum.of("md5", DATA)
    assert bucket.engine.count("POST", "uploadId") == 1


@pytest.mark.parametrize("status", [200, 500])
def test_a_completion_that_fails_is_tried_again(bucket: Bucket, status: int) -> None:
    body = b"<Error><Code>InternalError</Code></Error>"
    bucket.engine.spoil(Spoil("POST", "uploadId", "refused", status=status, body=body))

    put(bucket, content())

    assert bucket.use(lambda remote: read(remote, "big")) == DATA


@pytest.mark.slow
def test_a_part_that_is_altered_on_the_way_is_damaged_and_given_up(bucket: Bucket) -> None:
    bucket.engine.spoil(Spoil("PUT", "partNumber=2", "altered", times=9))

    with pytest.raises(Damaged):
        put(bucket, content())

    assert bucket.use(children) == {}
    assert uploads(bucket) == 0


@pytest.mark.slow
def test_what_is_refused_for_good_leaves_no_parts_behind(bucket: Bucket) -> None:
    body = b"<Error><Code>AccessDenied</Code></Error>"
    bucket.engine.spoil(Spoil("PUT", "partNumber=3", "refused", times=9, status=403, body=body))

    with pytest.raises(Denied):
        put(bucket, content())

    assert uploads(bucket) == 0


def test_content_that_changes_between_two_readings_is_not_published(bucket: Bucket) -> None:
    passes = iter([DATA, DATA[::-1]])

    async def source() -> AsyncIterator[bytes]:
        data = next(passes)
        for start in range(0, len(data), 1 << 20):
            yield data[start : start + (1 << 20)]

    with pytest.raises(Changed):
        put(bucket, Content(len(DATA), source, near=True))

    assert bucket.use(children) == {}
    assert uploads(bucket) == 0


def test_parts_never_replace_what_came_in_between(bucket: Bucket) -> None:
    bucket.use(lambda remote: remote.put("big", Content.of(b"theirs"), expect=None))

    with pytest.raises(Exists):
        put(bucket, content())

    assert bucket.use(lambda remote: read(remote, "big")) == b"theirs"
    assert uploads(bucket) == 0


def test_a_large_object_goes_to_the_trash_and_back_in_pieces(bucket: Bucket) -> None:
    node = put(bucket, content())

    async def act(remote: Remote) -> None:
        copies = remote.backend._copies  # type: ignore[attr-defined]
        copies.most, copies._piece = 6 << 20, 6 << 20
        ref = await remote.trash("big", expect=node.generation)
        assert await children(remote) == {}
        assert await remote.restore(ref) == "big"

    bucket.use(act)

    back = bucket.use(lambda remote: remote.stat("big"))
    assert (back.size, back.mtime_ns, back.checksum) == (node.size, node.mtime_ns, node.checksum)
    assert bucket.use(lambda remote: read(remote, "big")) == DATA
