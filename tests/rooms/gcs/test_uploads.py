"""Content in parts: gone on with after a death, begun anew when it is forgotten, and never seen before its end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from runner.backends.contract.rule import TIME_NS, children, read
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import Changed, Damaged, Denied, Exists
from runner.model.node import Node
from runner.remote.remote import Remote
from tests.lab.gcs_forms import Answer, Asked
from tests.lab.spoilt import Spoil
from tests.rooms.gcs.conftest import Bucket

PART = 1 << 20
DATA = bytes(range(256)) * ((9 << 20) // 256) + b"end"
"""Ten parts, the last one small; more than what is stored in one piece."""
GONE = "upload_id"


def content(data: bytes = DATA, stop: int | None = None, *, near: bool = True) -> Content:
    """These bytes; where `stop` is given, the source hangs there for ever on its last pass."""
    passes = iter([None, stop] if near else [stop])

    async def source() -> AsyncIterator[bytes]:
        at = next(passes, stop)
        for start in range(0, len(data), 1 << 20):
            if at is not None and start >= at:
                await asyncio.sleep(3600)
            yield data[start : start + (1 << 20)]

    return Content(len(data), source, mtime_ns=TIME_NS, near=near)


def put(bucket: Bucket, what: Content, expect: str | None = None) -> Node:
    """Store it in parts of 1 MiB."""
    return bucket.use(lambda remote: remote.put("big", what, expect=expect), part=PART)


def die_midway(bucket: Bucket) -> int:
    """A run that is killed once some parts are there; how many bytes the service has by then."""

    async def act(remote: Remote) -> None:
        task = asyncio.ensure_future(remote.put("big", content(stop=5 << 20)))
        while bucket.engine.count("PUT", GONE) < 4:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    bucket.use(act, part=PART)
    (upload,) = bucket.service.uploads.values()
    return len(upload.data)


def test_content_in_parts_comes_back_with_time_and_digest(bucket: Bucket) -> None:
    node = put(bucket, content())

    assert (node.size, node.mtime_ns, node.checksum) == (len(DATA), TIME_NS, Checksum.of("md5", DATA))
    assert bucket.use(lambda remote: read(remote, "big", expect=node.generation)) == DATA
    assert bucket.use(children) == {"big": node}


@pytest.mark.torture
def test_P7_a_run_that_died_is_gone_on_with_at_the_byte(bucket: Bucket) -> None:
    there = die_midway(bucket)
    assert bucket.use(children) == {}
    bucket.engine.spoil()
    bucket.service.seen.clear()

    node = put(bucket, content())

    assert node.checksum == Checksum.of("md5", DATA)
    assert bucket.use(lambda remote: read(remote, "big")) == DATA
    assert bucket.service.count("POST /upload") == 0
    parts = -(-len(DATA) // PART) - there // PART
    assert bucket.service.count("PUT /upload") == parts + 1, "one question, and what was not there"


def test_other_content_does_not_go_on_with_it(bucket: Bucket) -> None:
    die_midway(bucket)

    put(bucket, content(DATA[::-1]))

    assert bucket.use(lambda remote: read(remote, "big")) == DATA[::-1]


def test_what_is_planned_against_another_generation_does_not_go_on_with_it(bucket: Bucket) -> None:
    die_midway(bucket)
    theirs = bucket.use(lambda remote: remote.put("big", Content.of(b"theirs")))

    node = put(bucket, content(), expect=theirs.generation)

    assert bucket.use(lambda remote: read(remote, "big", expect=node.generation)) == DATA


@pytest.mark.torture
@pytest.mark.parametrize("status", [404, 410])
def test_N22_an_upload_that_the_service_forgets_is_begun_anew(bucket: Bucket, status: int) -> None:
    body = b'{"error": {"code": 404, "message": "gone", "errors": [{"reason": "notFound"}]}}'
    third = iter([False, False, True])
    bucket.service.hook = lambda asked: (
        Answer(status, {}, body) if asked.method == "PUT" and next(third, False) else None
    )

    node = put(bucket, content())

    assert node.checksum == Checksum.of("md5", DATA)
    assert bucket.service.count("POST /upload") == 2
    assert bucket.use(lambda remote: read(remote, "big")) == DATA


@pytest.mark.torture
def test_N2_a_part_whose_answer_was_lost_is_asked_for_and_not_sent_again(bucket: Bucket) -> None:
    bucket.engine.spoil(Spoil("PUT", GONE, "lost"))

    put(bucket, content())

    assert bucket.service.count("PUT /upload") == -(-len(DATA) // PART) + 1
    assert bucket.use(lambda remote: read(remote, "big")) == DATA


@pytest.mark.torture
def test_N3_the_last_answer_lost_is_looked_for(bucket: Bucket) -> None:
    def hook(asked: Asked) -> bytes | None:
        if asked.method == "PUT" and asked.headers["content-range"].endswith(f"-{len(DATA) - 1}/{len(DATA)}"):
            bucket.service.answer(asked)
            bucket.service.hook = lambda asked: None
            return b""
        return None

    bucket.service.hook = hook

    node = put(bucket, content())

    assert (node.checksum, len(bucket.held.live)) == (Checksum.of("md5", DATA), 1)


def test_a_part_that_is_kept_by_halves_is_gone_on_with(bucket: Bucket) -> None:
    def hook(asked: Asked) -> Answer | None:
        if asked.method != "PUT" or "bytes 1048576-" not in asked.headers["content-range"]:
            return None
        bucket.service.hook = lambda asked: None
        half = asked.body[: 512 << 10]
        span = f"bytes 1048576-{1048576 + len(half) - 1}/{len(DATA)}"
        return bucket.service.answer(
            asked._replace(body=half, headers={**asked.headers, "content-range": span})
        )

    bucket.service.hook = hook

    node = put(bucket, content())

    assert node.checksum == Checksum.of("md5", DATA)


@pytest.mark.torture
def test_N4_a_service_that_is_busy_in_between_is_asked_again(bucket: Bucket) -> None:
    bucket.engine.spoil(Spoil("PUT", GONE, "refused", times=3, status=503))

    assert put(bucket, content()).checksum == Checksum.of("md5", DATA)


@pytest.mark.parametrize("near", [True, False])
def test_a_part_that_is_altered_on_the_way_is_damage_and_nothing_is_seen_of_it(
    bucket: Bucket, near: bool
) -> None:
    old = bucket.use(lambda remote: remote.put("big", Content.of(b"old")))
    bucket.engine.spoil(Spoil("PUT", GONE, "altered"))

    with pytest.raises(Damaged):
        put(bucket, content(near=near), expect=old.generation)

    assert bucket.use(lambda remote: read(remote, "big")) == b"old"
    assert bucket.service.uploads == {}


def test_what_is_refused_for_good_is_given_up(bucket: Bucket) -> None:
    body = b'{"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden"}]}}'
    bucket.engine.spoil(Spoil("PUT", GONE, "refused", times=9, status=403, body=body))

    with pytest.raises(Denied):
        put(bucket, content())

    assert bucket.service.uploads == {}


def test_content_that_changes_between_two_readings_is_not_published(bucket: Bucket) -> None:
    passes = iter([DATA, DATA[::-1]])

    async def source() -> AsyncIterator[bytes]:
        data = next(passes)
        for start in range(0, len(data), 1 << 20):
            yield data[start : start + (1 << 20)]

    with pytest.raises(Changed):
        put(bucket, Content(len(DATA), source, near=True))

    assert bucket.held.live == {}
    assert bucket.service.uploads == {}


@pytest.mark.torture
def test_L6_parts_never_replace_what_came_in_between(bucket: Bucket) -> None:
    async def act(remote: Remote) -> None:
        big = asyncio.ensure_future(remote.put("big", content()))
        while bucket.engine.count("PUT", GONE) < 2:
            await asyncio.sleep(0.001)
        await remote.put("big", Content.of(b"theirs"))
        await big

    with pytest.raises(Exists):
        bucket.use(act, part=PART)

    assert bucket.use(lambda remote: read(remote, "big")) == b"theirs"
