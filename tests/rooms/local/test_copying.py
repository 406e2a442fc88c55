"""Copying a batch from disk to disk: what moved, failed or stood there is left alone, all else is whole."""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runner.backends.local import copying, flush, reading
from runner.model.backend import Copied, Copying, Durability
from runner.model.checksum import Checksum
from runner.model.errors import Unsynced
from tests.rooms.local.copies import copy, seen
from tests.rooms.local.disk import FailingCalls, files, open_files

CALLS = (
    "open", "read", "write", "pread", "readv", "preadv", "fsync", "fstat", "utime", "close", "rename",
)  # fmt: skip
WAYS: tuple[Durability, ...] = ("batch", "file")


def names(source: Path) -> list[str]:
    return sorted(files(source))


@pytest.mark.parametrize("open_at_once", [500, 7])
@pytest.mark.parametrize("durability", WAYS)
def test_many_are_copied_with_their_times_and_digests(
    source: Path, folders: Path, durability: Durability, open_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "MOST_OPEN", open_at_once)
    monkeypatch.setattr(copying, "MOST", 1)
    moved: list[int] = []
    before = open_files()

    done = copy(
        source, folders, seen(source, *names(source)), Copying("sha256", True, durability, moved.append)
    )

    assert files(folders) == files(source)
    assert [one and one.checksum for one in done] == [
        Checksum.of("sha256", data) for _, data in sorted(files(source).items())
    ]
    assert os.stat(folders / "a" / "02").st_mtime_ns == 10**18 + 2
    assert stat.S_IMODE(os.stat(folders / "a" / "02").st_mode) == 0o666 & ~current_mask()
    assert sum(moved) == sum(map(len, files(source).values()))
    assert open_files() <= before


def current_mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def test_what_is_named_is_on_the_disk_before_and_its_name_after(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = FailingCalls(0, 0, ("write", "fsync", "rename"))
    calls.install(monkeypatch)

    copy(source, folders, seen(source, *names(source)[:40]))

    assert calls.made == ["write"] * 40 + ["syncfs"] + ["renameat2"] * 40 + ["fsync"] * 2


def test_where_the_disk_does_not_confirm_all_at_once_each_file_is(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "_WHOLE", {})
    calls = FailingCalls(0, 0, ("write", "fsync", "rename"))
    calls.install(monkeypatch)

    copy(source, folders, seen(source, *names(source)[:40]))

    assert calls.made == ["write"] * 40 + ["fsync"] * 40 + ["renameat2"] * 40 + ["fsync"] * 2


@pytest.mark.torture
@pytest.mark.parametrize("durability", WAYS)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_D1_D2_whichever_call_of_a_batch_fails_no_part_is_seen(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch, code: int, durability: Durability
) -> None:
    monkeypatch.setattr(flush, "FEW", 1)
    batch = seen(source, "a/00", "a/02", "b/01", "large")
    wanted = {path: data for path, data in files(source).items() if path in [one.path for one in batch]}
    failed = set()
    for number in range(1, 200):
        calls, before = FailingCalls(number, code, CALLS), open_files()
        done: Sequence[Copied | None] = ()
        with monkeypatch.context() as patch:
            calls.install(patch)
            try:
                done = copy(source, folders, batch, Copying(durability=durability))
            except Unsynced:
                assert calls.failed in ("fsync", "syncfs", "fstat")
        found = files(folders)
        assert found.items() <= wanted.items()
        assert {copied.path for copied, one in zip(batch, done, strict=False) if one} <= found.keys()
        assert open_files() <= before
        failed.add(calls.failed)
        for path in found:
            (folders / path).unlink()
        if not calls.failed:
            break

    assert not calls.failed, "more calls than were thought"
    confirming = "syncfs" if durability == "batch" else "fsync"
    assert failed >= {
        "open",
        "read",
        "write",
        "pread",
        "fstat",
        "utime",
        "renameat2",
        "readv",
        "preadv",
        confirming,
    }


@pytest.mark.torture
@pytest.mark.parametrize("failing", ["syncfs", "fsync"])
def test_D2_a_disk_that_does_not_confirm_a_batch_ends_it(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A failed syncfs may be about another's file, so each of ours is asked for; a failed fsync is never repeated."""
    monkeypatch.setattr(flush, "FEW", 1)
    if failing == "fsync":
        monkeypatch.setattr(flush, "_WHOLE", {})
    calls = FailingCalls(1, errno.EIO, ("fsync",))
    calls.install(monkeypatch)
    batch = seen(source, "a/00", "a/02", "a/04")

    if failing == "syncfs":
        assert None not in copy(source, folders, batch)
        assert calls.made == ["syncfs", "fsync", "fsync", "fsync", "fsync"]
        return
    with pytest.raises(Unsynced):
        copy(source, folders, batch)
    assert files(folders) == {}
    assert calls.made == ["fsync"]


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 1)


def rewrite(path: Path) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"#")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def vanish(path: Path) -> None:
    path.unlink()


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_link(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to("target")


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)


CHANGES = (grow, shrink, rewrite, vanish, to_pipe, to_link, replace)


@pytest.mark.torture
@pytest.mark.parametrize("name", ["b/11", "large"])
@pytest.mark.parametrize("change", CHANGES)
def test_S4_S5_S6_what_moved_on_since_it_was_listed_is_left_alone(
    source: Path, folders: Path, change: Callable[[Path], None], name: str
) -> None:
    batch = seen(source, "a/00", name, "b/13")

    change(source / name)
    done = copy(source, folders, batch)

    assert [one is None for one in done] == [False, True, False]
    assert files(folders) == {path: files(source)[path] for path in ("a/00", "b/13")}


@pytest.mark.torture
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
@pytest.mark.parametrize("name", ["b/11", "large"])
def test_S1_S2_what_moves_on_while_it_is_read_is_not_published(
    source: Path, folders: Path, change: Callable[[Path], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = seen(source, "a/00", name, "b/13")
    whole = reading.moved_on

    def moved_on(file: int, listed: os.stat_result) -> bool:
        if listed.st_ino == os.stat(source / name).st_ino:
            change(source / name)
        return whole(file, listed)

    monkeypatch.setattr(copying, "moved_on", moved_on)
    done = copy(source, folders, batch)

    assert [one is None for one in done] == [False, True, False]
    assert set(files(folders)) == {"a/00", "b/13"}


@pytest.mark.torture
def test_D4_a_folder_that_became_a_link_is_not_followed(source: Path, folders: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folders / "b").rmdir()
    (folders / "b").symlink_to(outside)

    done = copy(source, folders, seen(source, "a/00", "b/01"))

    assert [one is None for one in done] == [False, True]
    assert files(outside) == {}


def test_hostile_and_our_own_names_are_left_alone(source: Path, folders: Path) -> None:
    (copied,) = seen(source, "a/00")
    wrong = ("../up", "a/../../up", ".acdrun-trash/x", "a/.acdrun-1.partial", "a/", "a/x\0")

    done = copy(source, folders, [copied._replace(path=path) for path in wrong])

    assert done == [None] * len(wrong)
    assert files(folders) == {}


def test_what_stands_there_is_kept(source: Path, folders: Path) -> None:
    (folders / "a" / "00").write_bytes(b"theirs")
    (folders / "b" / "01").mkdir()

    done = copy(source, folders, seen(source, "a/00", "b/01", "b/03"))

    assert [one is None for one in done] == [True, True, False]
    assert files(folders) == {"a/00": b"theirs", "b/03": b"3"}
