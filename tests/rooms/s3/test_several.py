"""Small files that go to a bucket together, and come from it together: as if each went alone, or it is left to."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.backends.contract.rule import children, write
from runner.backends.local.backend import Local
from runner.backends.s3.probe import Conditions
from runner.backends.s3.wire import Ask
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.node import Node
from runner.remote import several
from runner.remote.fast_engine import FastEngine
from runner.remote.remote import Remote
from tests.lab.spoilt import Spoil
from tests.rooms.s3.conftest import Bucket

COUNT = 150


@pytest.fixture
def quick(bucket: Bucket) -> Bucket:
    """A bucket whose engine can send many requests without a task for each."""
    bucket.carrier = FastEngine
    return bucket


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Small files, one of them empty, and one too large to go with others."""
    top = tmp_path / "disk"
    top.mkdir()
    for number in range(COUNT):
        (top / f"{number:03}").write_bytes(b"%d" % number * number)
    (top / "large").write_bytes(b"l" * (several.SMALL + 1))
    return top


def carried(
    bucket: Bucket, disk: Path, how: Copying | None = None, *names: str, back: bool = False
) -> tuple[dict[str, Copied | None], dict[str, Node]]:
    """Carry these files, by default all, to the bucket or back from it; what became of each, and what is there then."""

    async def act(remote: Remote) -> tuple[dict[str, Copied | None], dict[str, Node]]:
        local = Remote("disk", Local(disk, "run"))
        source, destination = (remote, local) if back else (local, remote)
        try:
            nodes = await children(source)
            wanted = [
                Copy(name, node.generation, node.size, node.mtime_ns, name)
                for name, node in nodes.items()
                if not names or name in names
            ]
            assert several.carries(source, destination)
            done: Sequence[Copied | None] = await several.carry(source, destination, wanted, how or Copying())
            found = {copy.path: one for copy, one in zip(wanted, done, strict=True)}
            return found, await children(destination)
        finally:
            await local.close()

    return bucket.use(act)


def left(done: dict[str, Copied | None]) -> list[str]:
    """What is left to be done alone."""
    return sorted(name for name, one in done.items() if one is None)


def test_what_goes_together_is_stored_as_if_it_went_alone(quick: Bucket, disk: Path) -> None:
    told: list[int] = []
    quick.engine.spoil()

    done, there = carried(quick, disk, Copying(moved=told.append))

    assert left(done) == ["large"]
    assert quick.engine.count("PUT") == COUNT, "a request for each file, and no other"
    assert sum(told) == sum(one.node.size for one in done.values() if one is not None)
    for name, one in done.items():
        if one is not None:
            data = (disk / name).read_bytes()
            assert one.checksum == there[name].checksum == Checksum.of("md5", data)
            assert one.node.generation == there[name].generation

    async def alone(remote: Remote) -> list[dict[str, str]]:
        local = Remote("disk", Local(disk, "run"))
        await remote.put("alone", local.content("042", await local.stat("042")))
        wire = remote.backend._wire  # type: ignore[attr-defined]
        heads = [(await wire.call(Ask("HEAD", quick.name, key))).headers for key in ("042", "alone")]
        return [
            {name: value for name, value in head.items() if "request" not in name and name != "date"}
            for head in heads
        ]

    together, by_itself = quick.use(alone)
    del together["last-modified"], by_itself["last-modified"]
    assert together == by_itself


def test_what_stands_there_is_not_replaced(quick: Bucket, disk: Path) -> None:
    theirs = quick.use(lambda remote: write(remote, "007", b"theirs"))

    done, there = carried(quick, disk)

    assert left(done) == ["007", "large"]
    assert there["007"] == theirs


@pytest.mark.parametrize("how", ["lost", "unsent"])
def test_what_arrived_is_found_though_its_answer_was_lost(quick: Bucket, disk: Path, how: str) -> None:
    quick.engine.spoil(Spoil("PUT", "/007", how))  # type: ignore[arg-type]

    done, there = carried(quick, disk)

    assert ("007" in left(done)) == (how == "unsent") == ("007" not in there)
    assert set(there) == set(done) - set(left(done)), "what is not told of was not stored"


def test_what_was_altered_on_the_way_is_taken_back(quick: Bucket, disk: Path) -> None:
    quick.engine.spoil(Spoil("PUT", "/007", "altered"))

    done, there = carried(quick, disk)

    assert left(done) == ["007", "large"]
    assert "007" not in there


def test_a_busy_service_gets_the_rest_later_and_each_once(quick: Bucket, disk: Path) -> None:
    quick.engine.spoil(Spoil("PUT", "/007", "refused"))

    done, _ = carried(quick, disk)

    assert left(done) == ["007", "large"]
    assert quick.engine.count("PUT") == COUNT - 1


def test_nothing_more_is_sent_with_keys_that_are_refused(quick: Bucket, disk: Path) -> None:
    body = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
    quick.engine.spoil(Spoil("PUT", "/", "refused", times=COUNT, status=403, body=body))

    done, there = carried(quick, disk)

    assert (left(done), there) == (sorted(done), {})
    assert len([entry for entry in quick.engine._left if entry[1]]) == 1, "some were never tried"


def test_a_file_that_is_not_what_was_listed_is_left_alone(quick: Bucket, disk: Path) -> None:
    async def act(remote: Remote) -> list[Copied | None]:
        local = Remote("disk", Local(disk, "run"))
        nodes = await children(local)
        copies = [
            Copy(name, nodes[name].generation, nodes[name].size, nodes[name].mtime_ns, name, known)
            for name, known in (("001", None), ("002", Checksum("md5", "0" * 32)), ("149", None))
        ]
        (disk / "149").write_bytes(b"other")
        return list(await several.carry(local, remote, copies, Copying()))

    done = quick.use(act)

    assert [one is not None for one in done] == [True, False, False]
    assert sorted(quick.use(children)) == ["001"]


def test_once_nobody_wants_it_nothing_is_sent(quick: Bucket, disk: Path) -> None:
    quick.engine.spoil()

    done, _ = carried(quick, disk, Copying(wanted=lambda: False))

    assert left(done) == sorted(done)
    assert quick.engine.count("PUT") == 0


def test_a_batch_that_takes_long_is_given_back(
    quick: Bucket, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(several, "LONGEST_S", 0.0)

    done, there = carried(quick, disk)

    assert (left(done), there) == (sorted(done), {})


@pytest.mark.parametrize(
    "known",
    [Conditions(False, True, True, True), Conditions(True, True, True, False)],
    ids=["weak", "no digests"],
)
def test_where_the_service_does_not_check_each_goes_alone(
    quick: Bucket, disk: Path, known: Conditions
) -> None:
    quick.engine.spoil()

    async def act(remote: Remote) -> list[Copied | None]:
        local = Remote("disk", Local(disk, "run"))
        remote.backend._store.conditions[quick.name] = known  # type: ignore[attr-defined]
        node = await local.stat("001")
        copy = Copy("001", node.generation, node.size, node.mtime_ns, "001")
        return list(await several.carry(local, remote, [copy], Copying()))

    assert quick.use(act) == [None]
    assert quick.engine.count("PUT") == 0


def test_what_comes_together_is_stored_as_it_was(quick: Bucket, disk: Path, tmp_path: Path) -> None:
    carried(quick, disk)
    back = tmp_path / "back"
    back.mkdir()
    (back / "005").write_bytes(b"ours")
    quick.engine.spoil(Spoil("GET", "/007", "refused"))

    done, there = carried(quick, back, back=True)

    assert left(done) == ["005", "007"]
    assert (back / "005").read_bytes() == b"ours"
    for name, one in done.items():
        if one is not None:
            assert (back / name).read_bytes() == (disk / name).read_bytes()
            assert (back / name).stat().st_mtime_ns == (disk / name).stat().st_mtime_ns
            assert one.node.generation == there[name].generation


def test_an_object_that_moved_on_is_left_alone(quick: Bucket, disk: Path, tmp_path: Path) -> None:
    carried(quick, disk, None, "001", "002")
    back = tmp_path / "back"
    back.mkdir()

    async def act(remote: Remote) -> list[Copied | None]:
        nodes = await children(remote)
        copies = [Copy(name, nodes[name].generation, nodes[name].size, None, name) for name in ("001", "002")]
        await remote.put("002", Content.of(b"33"), expect=nodes["002"].generation)
        return list(await several.carry(remote, Remote("back", Local(back, "run")), copies, Copying()))

    done = quick.use(act)

    assert [one is not None for one in done] == [True, False]
    assert sorted(path.name for path in back.iterdir()) == ["001"]


def test_two_disks_copy_by_themselves(tmp_path: Path) -> None:
    async def act() -> bool:
        one, other = Remote("one", Local(tmp_path, "run")), Remote("other", Local(tmp_path, "run"))
        return several.carries(one, other)

    assert not asyncio.run(act())
