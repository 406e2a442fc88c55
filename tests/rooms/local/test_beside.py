"""Copying by a process beside this one: what it does is what we would do, and nobody gets our place before it ends."""

import fcntl
import os
import signal
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runner.backends.local import backend, beside, hands
from runner.backends.local.crew import Crew
from runner.backends.local.hands import Hand
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import CHUNK
from runner.model.errors import Unsynced
from runner.state.hands import holding
from tests.rooms.local.copies import copy, seen
from tests.rooms.local.disk import files
from tests.rooms.local.workers import answered, pid_of

Answers = list[Sequence[Copied | None] | None]


@pytest.fixture
def small(source: Path) -> Path:
    """Small files only, which is what goes to another process."""
    (source / "large").unlink()
    (source / "a" / "00").write_bytes(b"")
    (source / "a" / "02").write_bytes(b"x" * CHUNK)
    return source


@pytest.fixture
def answers(crew: Crew, folders: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What the process answers from now on: it is there, and disks know of it."""
    came: Answers = []
    real = beside.copy_by

    def copy_by(
        hand: Hand, source: str, target: str, mask: int, how: Copying, batch: Sequence[Copy]
    ) -> Sequence[Copied | None] | None:
        came.append(real(hand, source, target, mask, how, batch))
        return came[-1]

    answered(crew, folders, "")
    monkeypatch.setattr(hands, "CREW", crew)
    monkeypatch.setattr(beside, "MANY", 1)
    monkeypatch.setattr(backend, "copy_by", copy_by)
    return came


def all_of(source: Path) -> list[Copy]:
    return seen(source, *sorted(files(source)))


def test_it_copies_as_we_do(small: Path, folders: Path, answers: Answers) -> None:
    before, moved = os.umask(0o027), list[int]()
    try:
        done = copy(small, folders, all_of(small), Copying("sha256", moved=moved.append))
    finally:
        os.umask(before)

    assert answers == [done]
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

    assert answers == [done]
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

    assert answers == [done]
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

    assert answers == [done]
    assert [one is None for one in done] == [False, True, False]


def test_names_go_through_as_they_are(small: Path, folders: Path, answers: Answers) -> None:
    name = "e\u0301 \U0001f4be\nline"
    (small / "a" / name).write_bytes(b"odd")

    (done,) = copy(small, folders, seen(small, f"a/{name}"))

    assert done is not None
    assert answers == [[done]]
    assert (folders / "a" / name).read_bytes() == b"odd"


@pytest.mark.torture
def test_a_process_that_is_killed_is_missed_by_nobody(
    small: Path, folders: Path, answers: Answers, crew: Crew
) -> None:
    os.kill(pid_of(crew), signal.SIGKILL)

    done = copy(small, folders, all_of(small))

    assert answers == [None]
    assert None not in done
    assert files(folders) == files(small)


@pytest.mark.torture
def test_D2_what_the_disk_does_not_confirm_to_who_copies_for_us_ends_the_batch(
    small: Path, folders: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hand, "ask", lambda *_: ([], "the disk did not confirm what was written: EIO"))

    with pytest.raises(Unsynced, match="did not confirm"):
        copy(small, folders, all_of(small))


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

    assert answers == [first, None]
    assert None not in [*first, *second]
    assert not Path(f"/proc/{before}/cwd").exists()


@pytest.mark.torture
def test_L1_nobody_copies_for_a_run_that_is_gone(small: Path, folders: Path) -> None:
    batch = [tuple(copy) for copy in seen(small, "a/04")]

    with pytest.raises(EOFError):
        beside.copied([], os.getpid(), (os.fspath(small), os.fspath(folders), 0o022), Copying()[:3], batch)

    assert files(folders) == {}
