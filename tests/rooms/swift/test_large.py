"""Large objects: our own in segments, gone on with after a kill; and those of other tools."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from runner.backends.contract.rule import children, read
from runner.backends.contract.trashing import trash_of
from runner.backends.swift.parts import prefix
from runner.backends.swift.wire import Ask
from runner.model.backend import Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, Changed, Damaged, Denied, Exists
from runner.model.node import Node
from runner.remote.remote import Remote
from tests.lab.spoilt import Spoil
from tests.rooms.swift.conftest import Container

PART = 1 << 20
TIME_NS = 1_500_000_000_123_456_789
DATA = bytes(range(256)) * (14 << 10)  # 3.5 segments


def content(data: bytes = DATA, *, near: bool = True, stop: int | None = None) -> Content:
    """stop: there it waits for ever."""

    async def source() -> AsyncIterator[bytes]:
        for start in range(0, len(data), PART // 2):
            if stop is not None and start >= stop:
                await asyncio.sleep(3600)
            yield data[start : start + PART // 2]

    return Content(len(data), source, mtime_ns=TIME_NS, near=near)


def put(container: Container, what: Content, expect: str | None = None, *, most: int = 1000) -> Node:
    """Store it in segments of 1 MiB."""
    return container.use(lambda remote: remote.put("big", what, expect=expect), part=PART, most=most)


def die_midway(container: Container) -> None:
    """A run that is killed once two segments are there."""

    async def act(remote: Remote) -> None:
        task = asyncio.ensure_future(remote.put("big", content(near=False, stop=5 * PART // 2)))
        while container.engine.count("PUT", "/00000001") == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    container.use(act, part=PART)
    container.engine.spoil()


@pytest.mark.parametrize("most", [1000, 2])
def test_content_in_segments_comes_back_with_time_and_digest(container: Container, most: int) -> None:
    node = put(container, content(), most=most)

    assert (node.size, node.mtime_ns, node.checksum) == (len(DATA), TIME_NS, Checksum.of("md5", DATA))
    assert container.use(lambda remote: read(remote, "big", expect=node.generation)) == DATA
    assert container.use(children) == {"big": node}
    assert container.use(lambda remote: remote.stat("big")) == node
    container.state = container.state.with_name("another machine")
    assert container.use(lambda remote: remote.stat("big")) == node


@pytest.mark.torture
def test_P7_a_run_that_died_is_gone_on_with(container: Container) -> None:
    die_midway(container)
    assert container.use(children) == {}
    container.engine.spoil()

    node = put(container, content())

    assert node.checksum == Checksum.of("md5", DATA)
    assert container.engine.count("PUT", "/00000000") == container.engine.count("PUT", "/00000001") == 0
    assert container.engine.count("PUT", "/00000002") == container.engine.count("PUT", "/00000003") == 1
    assert container.use(lambda remote: read(remote, "big")) == DATA
    assert len(container.segments()) == 4


def test_other_content_takes_the_place_of_what_was_begun(container: Container) -> None:
    die_midway(container)
    other = DATA[::-1] + b"more"

    put(container, content(other))

    assert container.use(lambda remote: read(remote, "big")) == other
    assert len(container.segments()) == 4


def test_what_was_begun_long_ago_is_removed_by_the_next_large_upload(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_midway(container)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 8 * 86400)

    container.use(lambda remote: remote.put("other", content()), part=PART)

    assert {one.key.partition("/")[0] for one in container.segments()} == {"other"}


def test_a_lost_word_at_the_end_is_looked_for(container: Container) -> None:
    container.engine.spoil(Spoil("PUT", "multipart-manifest", "lost"))

    node = put(container, content())

    assert node.checksum == Checksum.of("md5", DATA)
    assert container.engine.count("PUT", "multipart-manifest") == 1


@pytest.mark.torture
@pytest.mark.parametrize("end", ["lost", "refused"])
def test_P5_segments_are_never_removed_once_a_manifest_may_name_them(container: Container, end: str) -> None:
    """A run ends right after the last word, without an answer; whatever comes later, the file can be read."""
    body = b"not now"
    spoils = [
        Spoil("PUT", "multipart-manifest", "lost"),
        Spoil("HEAD", "/big", "refused", times=9, body=body),
    ]
    if end == "refused":
        spoils[0] = Spoil("PUT", "multipart-manifest", "refused", times=9, status=503, body=body)
    container.engine.spoil(*spoils)
    with suppress(AcdrunError):
        put(container, content())
    container.engine.spoil()

    try:
        put(container, content(DATA[::-1] + b"other"))
    except Exists:
        assert container.use(lambda remote: read(remote, "big")) == DATA
    else:
        assert container.use(lambda remote: read(remote, "big")) == DATA[::-1] + b"other"


def test_a_segment_that_is_altered_on_the_way_is_damaged_and_given_up(container: Container) -> None:
    container.engine.spoil(Spoil("PUT", "/00000001", "altered", times=9))

    with pytest.raises(Damaged):
        put(container, content())

    assert container.use(children) == {}
    assert container.segments() == []


def test_what_is_refused_for_good_leaves_no_segments_behind(container: Container) -> None:
    container.engine.spoil(Spoil("PUT", "multipart-manifest", "refused", times=9, status=403, body=b"no"))

    with pytest.raises(Denied):
        put(container, content())

    assert container.segments() == []


def test_content_that_changes_between_two_readings_is_not_published(container: Container) -> None:
    passes = iter([DATA, DATA[::-1]])

    async def source() -> AsyncIterator[bytes]:
        data = next(passes)
        for start in range(0, len(data), PART):
            yield data[start : start + PART]

    with pytest.raises(Changed):
        put(container, Content(len(DATA), source, near=True))

    assert container.use(children) == {}
    assert container.segments() == []


def test_segments_never_replace_what_came_in_between(container: Container) -> None:
    container.use(lambda remote: remote.put("big", Content.of(b"theirs")))

    with pytest.raises(Exists):
        put(container, content())

    assert container.use(lambda remote: read(remote, "big")) == b"theirs"
    assert container.segments() == []


def test_a_large_object_goes_to_the_trash_and_back_without_its_segments_moving(container: Container) -> None:
    node = put(container, content())
    before = container.segments()

    new = put(container, content(DATA[::-1]), expect=node.generation)
    ref = container.use(lambda remote: remote.trash("big", expect=new.generation))
    assert set(container.use(trash_of)) == {new.replaced, ref}
    assert {entry.node.size for entry in container.use(trash_of).values()} == {len(DATA)}
    back = container.use(lambda remote: remote.restore(new.replaced))

    assert back == "big"
    assert container.use(lambda remote: remote.stat("big")) == node
    assert container.use(lambda remote: read(remote, "big")) == DATA
    assert set(before) < set(container.segments())


def test_a_large_object_is_copied_with_segments_of_its_own(container: Container) -> None:
    node = put(container, content())

    async def act(remote: Remote) -> bool:
        copy = Copy("big", node.generation, node.size, node.mtime_ns, "copy/big")
        (done,) = await remote.copy_from(remote, [copy], Copying())
        return done is not None and (done.node, done.checksum) == (node, node.checksum)

    assert container.use(act)
    assert len(container.segments()) == 8
    container.ask(Ask("DELETE", container.name, "big", {"multipart-manifest": "delete"}))
    assert container.use(lambda remote: read(remote, "copy/big")) == DATA
    assert len(container.segments()) == 4


def test_a_copy_within_the_account_sends_no_byte_and_asks_nothing_of_a_source_in_one_piece(
    container: Container,
) -> None:
    container.large("slo", "big", [b"x" * 1000, b"y"])

    async def act(remote: Remote) -> list[tuple[Checksum | None, str, int | None] | None]:
        plain = await remote.put("plain", Content.of(b"plain", mtime_ns=TIME_NS))
        big = await remote.stat("big")
        copies = [
            Copy("plain", plain.generation, 5, None, "to/plain", plain.checksum),
            Copy("big", big.generation, big.size, None, "to/big"),
        ]
        container.engine.spoil()
        done = await remote.copy_from(remote, copies, Copying())
        return [one and (one.checksum, one.proof, one.node.mtime_ns) for one in done]

    assert container.use(act) == [(Checksum.of("md5", b"plain"), "", TIME_NS), (None, "etag", TIME_NS)]
    assert container.engine.count("HEAD", "/plain") == 1  # at the goal: is anything there?
    assert container.use(lambda remote: read(remote, "to/big")) == b"x" * 1000 + b"y"
    assert container.use(lambda remote: read(remote, "to/plain")) == b"plain"


@pytest.mark.parametrize("kind", ["slo", "dlo"])
def test_large_objects_of_other_tools_are_what_they_are(container: Container, kind: str) -> None:
    pieces = [b"x" * 1000, b"y" * 1000, b"z"]
    container.large(kind, "big", pieces)
    listed = container.use(children)["big"]

    assert (listed.size, listed.mtime_ns) == (2001, TIME_NS)
    assert listed == container.use(lambda remote: remote.stat("big"))
    assert container.use(lambda remote: read(remote, "big", expect=listed.generation)) == b"".join(pieces)
    ref = container.use(lambda remote: remote.trash("big", expect=listed.generation))
    assert [entry.node.size for entry in container.use(trash_of).values()] == [2001]
    container.use(lambda remote: remote.restore(ref))
    assert container.use(lambda remote: remote.stat("big")) == listed
    moved = container.use(lambda remote: remote.move("big", "moved", expect=listed.generation))
    assert container.use(lambda remote: read(remote, "moved", expect=moved.generation)) == b"".join(pieces)


def test_a_manifest_whose_segments_grow_is_another_generation(container: Container) -> None:
    container.large("dlo", "big", [b"x" * 1000])
    before = container.use(children)["big"]
    container.ask(Ask("PUT", f"{container.name}_segments", "big/1.0/00000001", body=b"more"))

    after = container.use(children)["big"]

    assert (before.size, after.size) == (1000, 1004)
    assert before.generation != after.generation


def test_a_key_that_is_long_has_segments_under_its_digest() -> None:
    assert prefix("big", "id") == "big/acdrun/id/"
    long = prefix("é" * 500, "id")
    assert long.startswith("acdrun/")
    assert len(long) < 200
