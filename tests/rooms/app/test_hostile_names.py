"""Names and links that mean harm, in whole runs onto a real disk: nothing outside the destination is touched (I9)."""

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from runner.model.backend import Backend
from runner.model.node import Kind, Node
from tests.lab import Faulty
from tests.lab.worlds import Ended, World

HOSTILE = ["..", ".", "", "../x", "/etc/x", "a/../../x", "../../outside/file", "nul\0nul", "bad\udcff"]
"""X1, X2: what no listing may put into a path."""

STRANGE = [
    "C:\\x",
    "\\\\host\\x",
    "..\\x",
    "%2e%2e%2fx",
    "．．",
    "．．／x",
    "CON",
    "aux.txt",
    "a.",
    "a ",
    "a:b",
    "...",
]
"""X1, X2, X3: what means something elsewhere, and here is a name like any other."""


@pytest.fixture
def outside(world: World) -> Path:
    """What nobody may touch, beside the destination."""
    folder = world.folder / "outside"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_bytes(b"theirs")
    (folder / "folder/file").write_bytes(b"theirs too")
    return folder


@pytest.fixture
def there(world: World) -> Path:
    """A real folder as destination."""
    folder = world.folder / "there"
    folder.mkdir()
    return folder


def seen(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, mode and mtime of everything below a folder; a link is what it points at, as text."""
    found = {}
    for path in sorted(folder.rglob("*")):
        at = path.lstat()
        data = (
            os.readlink(path).encode() if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
        )
        found[path.relative_to(folder).as_posix()] = (data, at.st_mode, at.st_mtime_ns)
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Contents by path, but for the trash."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and ".acdrun-trash" not in path.parts
    }


class Lying(Faulty):
    """A service whose root lists what no folder can hold, as files or as folders, and has it all."""

    kind: Kind = "file"

    @classmethod
    async def open(cls, config: object, setting: object) -> "Lying":
        """It wraps what is open already."""
        raise TypeError("open the inner backend and wrap it")

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """The root's own entries, and the lies."""
        async for page in super().list(folder):
            yield page
        if not folder:
            yield [
                Node(name, self.kind, 1, 10**18, id=f"lie{n}", generation=f"lie{n}")
                for n, name in enumerate(HOSTILE)
            ]

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Whatever is asked for."""
        if path in HOSTILE or (expect or "").startswith("lie"):
            yield b"x"
            return
        async for chunk in super().read(path, expect=expect):
            yield chunk


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("side", ["src", "dst"])
def test_X1_names_that_would_climb_out_are_told_and_nothing_is_done_with_them(
    world: World, outside: Path, there: Path, side: str, kind: Kind
) -> None:
    def lies(name: str, inner: Backend) -> Backend:
        lying = Lying(inner)
        lying.kind = kind
        return lying if name == side else inner

    world.wrap = lies
    world.write("src", {"good": "1", "folder/good": "2"})
    world.write("dst", {"lost": "0"})
    (there / "lost").write_bytes(b"0")
    before = seen(outside)

    if side == "src":
        ended = world.run(world.pair(destination=str(there)))
        left = files(there)
    else:
        ended = world.run()
        left = world.files("dst")

    assert ended.code == 3
    assert left == {"good": b"1", "folder/good": b"2", "lost": b"0"}
    assert {one.kind for one in ended.troubles} == {"blocked"}
    assert len({one.path for one in ended.troubles}) == len(HOSTILE)
    assert seen(outside) == before
    assert sorted(path.name for path in world.folder.iterdir()) == ["outside", "state", "there"]
    if side == "src":
        world.wrap = lambda name, inner: inner
        assert world.run(world.pair(destination=str(there))).code == 0
        assert files(there) == {"good": b"1", "folder/good": b"2"}


@pytest.mark.torture
def test_X2_X3_names_that_are_special_elsewhere_make_the_round_trip_unchanged(
    world: World, there: Path
) -> None:
    contents = {
        name: f"content {n}" for n, name in enumerate(STRANGE) if "/" not in name and "／" not in name
    }
    contents |= {f"{name}/inner": "i" for name in ("nul", "trailing.", "trailing ", "a:b:c", "dir\\ectory")}
    world.write("src", contents)
    back = world.pair(source=str(there), destination="dst:")

    first = world.run(world.pair(destination=str(there)))
    second = world.run(back)
    again = world.run(back)

    assert (first.code, second.code, again.code) == (0, 0, 0)
    assert files(there) == world.files("dst") == {name: data.encode() for name, data in contents.items()}
    assert again.ops("upload", "done") == again.ops("trash") == []


@pytest.mark.torture
def test_X3_a_name_that_the_disk_cannot_hold_is_blocked_and_never_cut(world: World, there: Path) -> None:
    long = "x" * 300
    world.write("src", {long: "1", f"folder/{long}/in": "2", "good": "3"})
    (there / "lost").write_bytes(b"0")

    ended = world.run(world.pair(destination=str(there)))

    assert ended.code == 3
    assert files(there) == {"good": b"3", "lost": b"0"}
    assert {(one.path, one.kind) for one in ended.troubles} == {
        (long, "blocked"),
        (f"folder/{long}", "blocked"),
    }


@pytest.mark.torture
def test_X2_X3_a_name_of_bytes_that_are_no_text_is_told_and_the_rest_is_sent(world: World) -> None:
    here = world.folder / "here"
    here.mkdir()
    (here / "good").write_bytes(b"1")
    for name in (b"bad\xff", b"\xc0\xae\xc0\xae\xc0\xafx"):  # the second is "../x", overlong
        with open(os.fsencode(here) + b"/" + name, "wb"):
            pass
    world.write("dst", {"lost": "0"})

    ended = world.run(world.pair(source=str(here)))

    assert ended.code == 3
    assert world.files("dst") == {"good": b"1", "lost": b"0"}
    assert sorted((one.path, one.kind) for one in ended.troubles) == [
        ("\\udcc0\\udcae\\udcc0\\udcae\\udcc0\\udcafx", "blocked"),
        ("bad\\udcff", "blocked"),
    ]


@pytest.mark.torture
@pytest.mark.parametrize("absolute", [True, False])
def test_X6_a_link_that_stands_where_a_folder_belongs_is_not_written_through(
    world: World, outside: Path, there: Path, absolute: bool
) -> None:
    world.write("src", {"link/file": "ours", "link/new": "new", "link/folder/file": "ours", "good": "1"})
    (there / "link").symlink_to(outside if absolute else "../outside")
    (there / "lost").write_bytes(b"0")
    before = seen(outside)

    ended = world.run(world.pair(destination=str(there)))

    assert ended.code == 3
    assert seen(outside) == before
    assert files(there) == {"good": b"1", "lost": b"0"}
    assert [(one.path, one.kind) for one in ended.troubles] == [("link", "blocked")]

    (there / "link").unlink()
    assert world.run(world.pair(destination=str(there))).code == 0
    assert files(there) == {
        "link/file": b"ours", "link/new": b"new", "link/folder/file": b"ours", "good": b"1",
    }  # fmt: skip
    assert seen(outside) == before


class Planting(Faulty):
    """A moment before something is stored, somebody puts a link where a file or a folder was."""

    where: Path
    goal: Path

    @classmethod
    async def open(cls, config: object, setting: object) -> "Planting":
        """It wraps what is open already."""
        raise TypeError("open the inner backend and wrap it")

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """The content; while it comes in, the link is planted."""
        async for chunk in super().read(path, expect=expect):
            if not self.where.is_symlink():
                self.where.rename(self.where.with_name("moved away"))
                self.where.symlink_to(self.goal)
            yield chunk


def planted(world: World, where: Path, goal: Path) -> Ended:
    """Run while that link is planted."""

    def plants(name: str, inner: Backend) -> Backend:
        planting = Planting(inner)
        planting.where, planting.goal = where, goal
        return planting if name == "src" else inner

    world.wrap = plants
    ended = world.run(world.pair(destination=str(where.parent), guard={"trash": {"max": "100%"}}))
    world.wrap = lambda name, inner: inner
    return ended


@pytest.mark.torture
def test_D4_a_file_that_became_a_link_between_look_and_write_is_not_written_through(
    world: World, outside: Path, there: Path
) -> None:
    world.write("src", {"file": "ours, longer"})
    for name in ("file", "lost"):
        (there / name).write_bytes(b"old")
    before = seen(outside)

    ended = planted(world, there / "file", outside / "file")

    assert ended.code == 3
    assert seen(outside) == before
    assert (there / "file").readlink() == outside / "file"
    assert files(there) == {"moved away": b"old", "lost": b"old"}
    assert (ended.op("upload", "file").state, ended.op("trash", "lost").state) == ("stale", "held")

    (there / "file").unlink()
    assert world.run(world.pair(destination=str(there), guard={"trash": {"max": "100%"}})).code == 0
    assert files(there) == {"file": b"ours, longer"}


@pytest.mark.torture
def test_D4_X6_a_folder_that_became_a_link_between_look_and_write_is_not_written_through(
    world: World, outside: Path, there: Path
) -> None:
    world.write("src", {"folder/file": "ours, longer"})
    (there / "folder").mkdir()
    for name in ("folder/file", "lost"):
        (there / name).write_bytes(b"old")
    before = seen(outside)

    ended = planted(world, there / "folder", outside / "folder")

    assert ended.code == 3
    assert seen(outside) == before
    assert "lost" in files(there), "what could not be proven holds the trash"
    everything = [path.read_bytes() for path in there.rglob("*") if path.is_file() and not path.is_symlink()]
    assert everything.count(b"old") == 2


@pytest.mark.torture
def test_X7_nothing_is_set_through_a_planted_link(world: World, outside: Path, there: Path) -> None:
    (outside / "file").chmod(0o640)
    os.utime(outside / "file", ns=(10**17, 10**17))
    world.write("src", {"link": "ours", "folder/link": "ours"}, mtime_ns=10**18)
    (there / "folder").mkdir()
    for place in (there, there / "folder"):
        (place / "link").symlink_to(outside / "file")
    before = seen(outside)

    ended = world.run(world.pair(destination=str(there)))

    assert ended.code == 3
    assert seen(outside) == before
