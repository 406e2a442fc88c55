"""A source on a real disk that does not hold still: it is never published half, never taken for lost, and told."""

import errno
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from runner.backends.local import reading
from runner.model.backend import Backend
from runner.model.content import CHUNK
from tests.lab import Faulty
from tests.lab.worlds import Ended, World, steps

OLD = {"changing": b"an older one", "lost": b"not in the source any more"}
CALM = {"fine": b"1", "folder/fine": b"2"}


class Place:
    """The real source `here`, and a destination that is either in memory or a real folder `there`."""

    def __init__(self, world: World, kind: str) -> None:
        self.world, self.kind = world, kind
        self.here, self.there = world.folder / "here", world.folder / "there"
        self.file = self.here / "changing"
        for name, data in CALM.items():
            (self.here / name).parent.mkdir(parents=True, exist_ok=True)
            (self.here / name).write_bytes(data)
        self.there.mkdir()
        if kind == "memory":
            world.write("dst", OLD)
        for name, data in OLD.items():
            (self.there / name).write_bytes(data)
            os.utime(self.there / name, ns=(10**18, 10**18))

    def run(self, **more: Any) -> Ended:
        """A mirror."""
        destination = "dst:" if self.kind == "memory" else str(self.there)
        return self.world.run(self.world.pair(source=str(self.here), destination=destination, **more))

    def shown(self) -> dict[str, bytes]:
        """Every file at the destination, hidden and temporary ones too; of the trash, nothing."""
        if self.kind == "memory":
            return self.world.files("dst")
        return {
            path.relative_to(self.there).as_posix(): path.read_bytes()
            for path in self.there.rglob("*")
            if path.is_file() and ".acdrun-trash" not in path.parts
        }

    def trashed(self) -> list[bytes]:
        """Contents in the trash, sorted."""
        if self.kind == "memory":
            return sorted(data for some in self.world.trash("dst").values() for data in some if data)
        return sorted(
            path.read_bytes() for path in (self.there / ".acdrun-trash").rglob("*") if path.is_file()
        )

    def held(self, ended: Ended, kind: str, tries: int) -> None:
        """That file was not stored, which is told and holds the trash; all else was."""
        op = ended.op("upload", "changing")
        assert ended.code == 3
        assert (op.state, op.kind, op.tries) == ("failed", kind, tries)
        assert ended.op("trash", "lost").state == "held"
        assert [(one.path, one.kind, one.exit) for one in ended.troubles] == [("changing", kind, 3)]
        assert (ended.header.state, ended.header.exit) == ("closed", 3)
        assert self.shown() == {**OLD, **CALM}
        assert self.trashed() == []

    def settles(self, now: bytes | None) -> None:
        """The next run, while nothing moves, reaches what was declared."""
        assert self.run(guard={"trash": {"max": "100%"}}).code == 0
        assert self.shown() == CALM | ({} if now is None else {"changing": now})
        assert self.trashed() == sorted(OLD.values())
        assert {state for _, _, state in steps(self.run())} <= {"same"}


@pytest.fixture(params=["memory", "local"])
def place(world: World, request: pytest.FixtureRequest) -> Place:
    """Both kinds of destination."""
    return Place(world, request.param)


class Restless:
    """Stands in for `os`: after each read of a piece something happens to the file."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._happens = happens

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def read(self, fd: int, size: int) -> bytes:
        """Read, then let it happen, once the file in question is what is read."""
        data = os.read(fd, size)
        if os.readlink(f"/proc/self/fd/{fd}").endswith("/here/changing"):
            self._happens()
        return data


def grow(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"more")


def shrink(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def rewrite(file: Path) -> None:
    """Other bytes under the same size and mtime."""
    seen = file.stat()
    with file.open("r+b") as stream:
        stream.write(os.urandom(8))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))


@pytest.mark.torture
@pytest.mark.parametrize(
    ("change", "size"),
    [(grow, 100), (grow, 3 * CHUNK), (shrink, 3 * CHUNK), (rewrite, 3 * CHUNK)],
    ids=["S1-grow-small", "S1-grow", "S1-shrink", "S2-rewrite"],
)
def test_S1_S2_a_file_that_changes_while_it_is_sent_is_not_published_and_tried_three_times(
    place: Place, change: Callable[[Path], None], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.file.write_bytes(b"x" * size)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "os", Restless(lambda: change(place.file)))
        ended = place.run()

    place.held(ended, "changed", 3)
    place.settles(place.file.read_bytes())


class Hurried(Faulty):
    """Something happens to the source between its listing and the opening of a file."""

    happens: Callable[[], None]

    @classmethod
    async def open(cls, config: object, setting: object) -> "Hurried":
        """It wraps what is open already."""
        raise TypeError("open the inner backend and wrap it")

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Let it happen, and read."""
        if path == "changing":
            self.happens()
        async for chunk in super().read(path, expect=expect):
            yield chunk


def hurry(world: World, file: Path, happens: Callable[[Path], None]) -> None:
    """Let that happen to the file, once, before it is opened."""
    done: list[bool] = []

    def once() -> None:
        if not done:
            done.append(True)
            happens(file)

    def wrap(name: str, inner: Backend) -> Backend:
        faulty = Hurried(inner)
        faulty.happens = once
        return faulty

    world.wrap = wrap


def replaced(file: Path) -> None:
    """By another file of the same size, time and even content, under the same name."""
    new = file.with_name("new")
    new.write_bytes(file.read_bytes())
    seen = file.stat()
    os.utime(new, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    new.rename(file)


@pytest.mark.torture
def test_S4_a_file_that_was_replaced_by_a_rename_before_it_was_opened_is_changed(place: Place) -> None:
    place.file.write_bytes(b"as it was listed")
    hurry(place.world, place.file, replaced)

    ended = place.run()

    place.held(ended, "changed", 3)
    place.world.wrap = lambda name, inner: inner
    place.settles(b"as it was listed")


@pytest.mark.torture
def test_S5_the_copy_of_a_file_that_vanished_before_it_was_opened_is_not_trashed_in_this_run(
    place: Place,
) -> None:
    place.file.write_bytes(b"as it was listed")
    hurry(place.world, place.file, Path.unlink)

    ended = place.run()

    place.held(ended, "unreadable", 1)
    assert "vanished" in ended.troubles[0].message
    place.world.wrap = lambda name, inner: inner
    place.settles(None)


def to_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/passwd")


def to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def to_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def to_device(file: Path) -> None:
    file.unlink()
    try:
        os.mknod(file, 0o020666, os.makedev(1, 5))  # /dev/zero, which has no end
    except PermissionError:
        pytest.skip("only root may make a device")


@pytest.mark.torture
@pytest.mark.parametrize("becomes", [to_link, to_folder, to_pipe, to_device])
def test_S6_what_became_no_file_before_it_was_opened_is_not_read(
    place: Place, becomes: Callable[[Path], None]
) -> None:
    place.file.write_bytes(b"as it was listed")
    hurry(place.world, place.file, becomes)

    ended = place.run()

    place.held(ended, "changed", 3)


@pytest.mark.torture
def test_S7_a_disk_that_fails_in_the_middle_of_a_file_is_told_and_nothing_of_it_shows(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.file.write_bytes(b"x" * 10 * CHUNK)
    pieces = [0]

    def fails() -> None:
        pieces[0] += 1
        if pieces[0] == 8:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(reading, "os", Restless(fails))
        ended = place.run()

    place.held(ended, "unreadable", 1)
    assert ended.troubles[0].message == "input/output error"
    assert pieces[0] == 8, "what a disk cannot read is not asked for again"
    place.settles(b"x" * 10 * CHUNK)


@pytest.mark.torture
def test_S10_a_file_of_a_tebibyte_is_planned_by_its_size_and_refused_where_there_is_no_room(
    world: World, tmp_path: Path
) -> None:
    here, there = tmp_path / "large", tmp_path / "there"
    here.mkdir()
    (here / "empty").write_bytes(b"")
    with (here / "sparse").open("wb") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            pytest.skip("this disk holds no such file")
    manifest = world.pair(source=str(here), destination=str(there))

    plan = world.plan(manifest)
    ended = world.run(manifest)

    assert plan.op("upload", "sparse").size == 1 << 40
    assert plan.op("upload", "empty").size == 0
    assert ended.code == 7, "it is refused before anything is sent"
    assert not there.exists() or not list(there.iterdir())


@pytest.mark.torture
def test_S11_hard_links_are_files_of_their_own_and_no_circle_of_links_is_walked(world: World) -> None:
    here = world.folder / "here"
    (here / "a/b").mkdir(parents=True)
    (here / "one").write_text("same")
    (here / "a/two").hardlink_to(here / "one")
    (here / "a/b/up").symlink_to("../..")
    (here / "self").symlink_to("self")
    (here / "there").symlink_to("back")
    (here / "back").symlink_to("there")
    manifest = world.pair(source=str(here))

    assert world.run(manifest).code == 0
    assert world.files("dst") == {"one": b"same", "a/two": b"same"}
    assert {state for _, _, state in steps(world.run(manifest))} <= {"same"}
