"""What a process beside us does is what we would do, and nobody gets our place before it has ended."""

import asyncio
import fcntl
import os
import signal
import stat
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from runner.backends.local import beside, hands, loading, orders
from runner.backends.local.backend import Local
from runner.backends.local.crew import Crew
from runner.backends.local.hands import Hand
from runner.backends.local.landing import Arrival
from runner.model.backend import Copied, Copy, Copying, Durability
from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Loaded
from runner.model.errors import Unsynced
from runner.model.powers import Some
from runner.state.hands import holding
from tests.rooms.local.copies import copy, seen
from tests.rooms.local.disk import files
from tests.rooms.local.workers import answered, pid_of

Answers = list[tuple[str, bool]]
"""What the process beside us was asked, and whether it answered."""


@pytest.fixture
def small(source: Path) -> Path:
    """Small files only, which is what goes to another process."""
    (source / "large").unlink()
    (source / "a" / "00").write_bytes(b"")
    (source / "a" / "02").write_bytes(b"x" * CHUNK)
    return source


@pytest.fixture
def answers(crew: Crew, folders: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What is asked and answered from now on: the process is there, and disks know of it."""
    came: Answers = []
    real = Hand.ask

    def ask(self: Hand, *question: Any) -> Any:
        answer = real(self, *question)
        came.append((question[0], answer is not None))
        return answer

    answered(crew, folders, "")
    monkeypatch.setattr(hands, "CREW", crew)
    monkeypatch.setattr(Hand, "ask", ask)
    for module in (beside, loading):
        monkeypatch.setattr(module, "MANY", 1)
    return came


def all_of(source: Path) -> list[Copy]:
    return seen(source, *sorted(files(source)))


def test_it_copies_as_we_do(small: Path, folders: Path, answers: Answers) -> None:
    before, moved = os.umask(0o027), list[int]()
    try:
        done = copy(small, folders, all_of(small), Copying("sha256", moved=moved.append))
    finally:
        os.umask(before)

    assert answers == [("copy", True)]
    assert files(folders) == files(small)
    contents = [data for _, data in sorted(files(small).items())]
    assert [one and one.checksum for one in done] == [Checksum.of("sha256", data) for data in contents]
    assert sum(moved) == sum(map(len, contents))
    there = os.stat(folders / "b" / "01")
    assert stat.S_IMODE(there.st_mode) == 0o640
    assert there.st_mtime_ns == 10**18 + 1
    (listed,) = seen(folders, "b/01")
    (number,) = [at for at, one in enumerate(all_of(small)) if one.path == "b/01"]
    told = done[number]
    assert told is not None
    assert (told.node.name, told.node.generation) == ("01", listed.generation)


def test_what_is_large_or_few_stays_here(
    source: Path, folders: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "MANY", 3)

    done = copy(source, folders, seen(source, "a/00", "b/01", "large"))
    few = copy(source, folders, seen(source, "a/02", "b/03"))

    assert None not in [*done, *few]
    assert answers == []


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def vanish(path: Path) -> None:
    path.unlink()


def to_link(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to("target")


@pytest.mark.torture
@pytest.mark.parametrize("change", [grow, vanish, to_link])
def test_S4_S5_S6_who_copies_for_us_leaves_alone_what_moved_on(
    small: Path, folders: Path, answers: Answers, change: Callable[[Path], None]
) -> None:
    batch = seen(small, "a/04", "b/11", "b/13")
    change(small / "b" / "11")

    done = copy(small, folders, batch)

    assert answers == [("copy", True)]
    assert [one is None for one in done] == [False, True, False]
    assert set(files(folders)) == {"a/04", "b/13"}


@pytest.mark.torture
def test_D4_who_copies_for_us_follows_no_link_and_keeps_what_stands_there(
    small: Path, folders: Path, answers: Answers, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folders / "b").rmdir()
    (folders / "b").symlink_to(outside)
    (folders / "a" / "04").write_bytes(b"theirs")
    (wrong,) = seen(small, "a/06")
    batch = [
        *seen(small, "a/00", "b/01", "a/04"),
        wrong._replace(path="../up"),
        wrong._replace(path=".acdrun-trash/x"),
    ]

    done = copy(small, folders, batch)

    assert answers == [("copy", True)]
    assert [one is None for one in done] == [False, True, True, True, True]
    assert files(outside) == {}
    assert files(folders) == {"a/00": b"", "a/04": b"theirs"}
    assert not (tmp_path / "up").exists()


def test_other_bytes_than_those_that_were_known_are_not_published(
    small: Path, folders: Path, answers: Answers
) -> None:
    one, other, third = seen(small, "a/04", "a/06", "a/08")
    batch = [
        one._replace(known=Checksum.of("md5", b"4")),
        other._replace(known=Checksum.of("md5", b"not 6")),
        third._replace(known=Checksum.of("sha256", b"of another kind")),
    ]

    done = copy(small, folders, batch)

    assert answers == [("copy", True)]
    assert [one is None for one in done] == [False, True, False]


def test_names_go_through_as_they_are(small: Path, folders: Path, answers: Answers) -> None:
    name = "e\u0301 \U0001f4be\nline"
    (small / "a" / name).write_bytes(b"odd")

    (done,) = copy(small, folders, seen(small, f"a/{name}"))

    assert done is not None
    assert answers == [("copy", True)]
    assert (folders / "a" / name).read_bytes() == b"odd"


@pytest.mark.torture
def test_a_process_that_is_killed_is_missed_by_nobody(
    small: Path, folders: Path, answers: Answers, crew: Crew
) -> None:
    os.kill(pid_of(crew), signal.SIGKILL)

    done = copy(small, folders, all_of(small))

    assert answers == [("copy", False)]
    assert None not in done
    assert files(folders) == files(small)


@pytest.mark.torture
def test_D2_what_the_disk_does_not_confirm_to_who_copies_for_us_ends_the_batch(
    small: Path, folders: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hand, "ask", lambda *_: ([], "the disk did not confirm what was written: EIO"))

    with pytest.raises(Unsynced, match="did not confirm"):
        copy(small, folders, all_of(small))
    with pytest.raises(Unsynced, match="did not confirm"):
        store(folders, {"a/one": b"1"})


@pytest.mark.torture
def test_L1_who_copies_for_us_holds_with_us_what_we_hold(
    small: Path, folders: Path, answers: Answers, crew: Crew, tmp_path: Path
) -> None:
    """Where it cannot, it is gone without having written anything, and we do its work."""
    before = pid_of(crew)
    with holding(tmp_path / "place.lock"):
        first = copy(small, folders, seen(small, "a/04"))
        with (tmp_path / "place.hands").open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            second = copy(small, folders, seen(small, "a/06"))

    assert answers == [("copy", True), ("copy", False)]
    assert None not in [*first, *second]
    assert not Path(f"/proc/{before}/cwd").exists()


@pytest.mark.torture
def test_L1_nobody_writes_for_a_run_that_is_gone(small: Path, folders: Path) -> None:
    roots = os.fspath(small), os.fspath(folders)
    gone: orders.Writer = [], os.getpid(), 0o022

    with pytest.raises(EOFError):
        orders.copy(gone, roots, Copying()[:3], [tuple(copy) for copy in seen(small, "a/04")])
    with pytest.raises(EOFError):
        orders.store(gone, roots[1], [("a/one", b"1", None, True)])

    assert files(folders) == {}


def store(
    root: Path, contents: dict[str, bytes], *, durability: Durability = "batch"
) -> Sequence[Copied | None]:
    """Have a disk store these, as they come from a service."""
    made = [
        (Copy(path, "", len(data), 10**18, path), Loaded(data, Checksum.of("md5", data)))
        for path, data in contents.items()
    ]

    async def came() -> AsyncIterator[Some]:
        yield [(number, loaded) for number, (_, loaded) in enumerate(made)]

    async def act() -> Sequence[Copied | None]:
        disk = Local(root, "run")
        try:
            return await disk.put_some([copy for copy, _ in made], came(), Copying(durability=durability))
        finally:
            await disk.close()

    return asyncio.run(act())


def test_it_stores_as_we_do(folders: Path, answers: Answers) -> None:
    contents = {"a/one": b"1", "b/e\u0301": b"", "b/three": b"x" * CHUNK}

    done = store(folders, contents)

    assert answers == [("store", True)]
    assert files(folders) == contents
    assert [one and one.checksum for one in done] == [Checksum.of("md5", data) for data in contents.values()]
    assert os.stat(folders / "a" / "one").st_mtime_ns == 10**18
    (listed,) = seen(folders, "a/one")
    assert done[0] is not None
    assert (done[0].node.name, done[0].node.generation) == ("one", listed.generation)


@pytest.mark.torture
def test_D4_who_stores_for_us_keeps_what_stands_there_and_makes_no_name_of_ours(
    folders: Path, answers: Answers
) -> None:
    (folders / "a" / "one").write_bytes(b"theirs")

    done = store(
        folders, {"a/one": b"1", "../up": b"", "a/.acdrun-1.partial": b"", "gone/x": b"", "b/y": b"2"}
    )

    assert answers == [("store", True)]
    assert [one is None for one in done] == [True, True, True, True, False]
    assert files(folders) == {"a/one": b"theirs", "b/y": b"2"}


@pytest.mark.torture
def test_who_stores_for_us_and_is_killed_is_missed_by_nobody(
    folders: Path, answers: Answers, crew: Crew
) -> None:
    os.kill(pid_of(crew), signal.SIGKILL)

    done = store(folders, {"a/one": b"1", "b/two": b"2"})

    assert answers == [("store", False)]
    assert None not in done


def test_much_content_at_a_time_stays_here(folders: Path, answers: Answers) -> None:
    assert None not in store(folders, {f"a/{number}": b"x" * (1 << 18) for number in range(33)})

    assert answers == []


def test_a_disk_that_has_stored_a_good_deal_calls_for_help(
    folders: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(1)
    monkeypatch.setattr(hands, "CREW", crew)
    monkeypatch.setattr(hands, "LONG", 8)
    disk, number = Local(folders, "run"), 0

    async def some() -> None:
        nonlocal number
        number += 1
        await disk._arriving.put_all([Arrival(f"a/{number}{at}", b"x", None, proven=True) for at in "xy"])

    async def act() -> None:
        await some()
        assert not crew.there
        deadline = time.monotonic() + 60
        while not answers and time.monotonic() < deadline:
            await some()
        await disk.close()

    asyncio.run(act())

    assert answers == [("store", True)]
    assert len(files(folders)) == 2 * number
    assert not crew.there


def load(source: Path, batch: Sequence[Copy]) -> dict[str, Loaded]:
    """Read these together."""

    async def act() -> dict[str, Loaded]:
        disk = Local(source, "run")
        try:
            async with aclosing(disk.read_some(batch, Copying())) as pieces:
                return {batch[number].origin: one async for some in pieces for number, one in some}
        finally:
            await disk.close()

    return asyncio.run(act())


def test_it_reads_as_we_do(small: Path, answers: Answers) -> None:
    found = load(small, all_of(small))

    assert set(answers) == {("read", True)}
    assert found == {path: Loaded(data, Checksum.of("md5", data)) for path, data in files(small).items()}


@pytest.mark.torture
def test_S4_S5_S6_who_reads_for_us_leaves_out_what_moved_on(small: Path, answers: Answers) -> None:
    batch = seen(small, "a/04", "a/06", "b/11", "b/13")
    grow(small / "a" / "06")
    vanish(small / "b" / "11")
    to_link(small / "b" / "13")

    assert load(small, batch) == {"a/04": Loaded(b"4", Checksum.of("md5", b"4"))}
    assert answers == [("read", True)]


@pytest.mark.torture
def test_who_reads_for_us_and_is_killed_is_missed_by_nobody(
    small: Path, answers: Answers, crew: Crew
) -> None:
    os.kill(pid_of(crew), signal.SIGKILL)

    assert load(small, all_of(small)).keys() == files(small).keys()
    assert ("read", False) in answers
