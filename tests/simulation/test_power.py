"""P14: the power fails at any instant, and whatever was not synced is lost or kept in any combination."""

import asyncio
import itertools
import json
import os
import random
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest import mock

import pytest

from runner import app
from runner.backends.local import flush
from runner.backends.local.backend import Local
from runner.backends.local.config import LocalConfig
from runner.backends.local.draft import Disk as DraftDisk
from runner.backends.local.draft import Draft
from runner.backends.local.safe import generation as generation_of
from runner.backends.local.trash import Trash
from runner.manifest.load import loads
from runner.model.backend import Copy, Copying, Durability, Setting
from runner.model.content import CHUNK, Content
from tests.simulation.disk import Disk, Found

NEW = b"the new content of this file"
OLD = {"file": b"the old content of it", "folder/inner": b"something within", "gone": b"soon trashed"}
TRASH = ".acdrun-trash/"


def whole(found: Found, root: str) -> dict[str, bytes]:
    """The live files below the root: neither trash nor drafts."""
    files = {path.removeprefix(f"{root}/"): data for path, data in found.files.items()}
    return {p: d for p, d in files.items() if not p.startswith(TRASH) and ".partial" not in p}


def check(disk: Disk, root: str, before: dict[str, bytes], allowed: dict[str, set[bytes]]) -> int:
    """Every state after every prefix: I1 and I3. Returns how many states there were."""
    chance, states = random.Random(14), 0
    for upto in range(len(disk.events) + 1):
        for found in disk.states(upto, chance):
            states += 1
            live, everything = whole(found, root), set(found.files.values())
            lost = {path for path, data in before.items() if data not in everything}
            assert not lost, f"I1: {lost} lost by a power cut after {disk.events[:upto][-3:]}"
            partial = {path for path, data in live.items() if data not in allowed.get(path, set())}
            assert not partial, f"I3: {partial} shows a part after {disk.events[:upto][-3:]}"
    return states


def act_on(root: Path, act: Callable[[Local], Awaitable[object]]) -> Disk:
    """Let the local backend do something while every call is remembered."""
    disk = Disk(root)
    disk.begin()

    async def main() -> None:
        setting = Setting(remote="disk", base=root.parent, state=root.parent.parent, run="run")
        local = await Local.open(LocalConfig(type="local", path=root.name), setting)
        try:
            await act(local)
            disk.said("done")
        finally:
            await local.close()

    with disk.watched():
        asyncio.run(main())
    return disk


def written(top: Path) -> Path:
    """A folder with a few files."""
    root = top / "watched" / "disk"
    for name, data in OLD.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


async def generation(local: Local, path: str) -> str:
    """Of what is there now."""
    return (await local.stat(path)).generation


async def create(local: Local) -> None:
    await local.put("folder/new", Content.of(NEW, mtime_ns=10**18), expect=None)


async def create_several(local: Local) -> None:
    """They are stored together."""
    paths = ("new", "folder/new", "folder/newer")
    puts = [local.put(path, Content.of(NEW + path.encode(), mtime_ns=10**18), expect=None) for path in paths]
    await asyncio.gather(*puts)


async def create_several_at_once(local: Local) -> None:
    with mock.patch.object(flush, "FEW", 1):
        await create_several(local)


async def create_large(local: Local) -> None:
    data = NEW * (CHUNK // len(NEW) + 1)
    await local.put("folder/new", Content.of(data, mtime_ns=10**18), expect=None)


async def overwrite(local: Local) -> None:
    await local.put("file", Content.of(NEW, mtime_ns=10**18), expect=await generation(local, "file"))


async def overwrite_inside(local: Local) -> None:
    path = "folder/inner"
    await local.put(path, Content.of(NEW, mtime_ns=10**18), expect=await generation(local, path))


async def throw(local: Local) -> None:
    await local.trash("gone", expect=await generation(local, "gone"))


async def throw_folder(local: Local) -> None:
    await local.trash("folder")


async def bring_back(local: Local) -> None:
    await local.restore(await local.trash("folder/inner"))


async def move(local: Local) -> None:
    await local.move("gone", "folder/moved")


async def make(local: Local) -> None:
    await local.mkdir("folder/made")
    await local.put("folder/made/new", Content.of(NEW, mtime_ns=10**18), expect=None)


async def copy(local: Local, durability: Durability = "batch") -> None:
    """From a disk of its own, which is not watched: some small files, and one that is copied in pieces."""
    beside = local._root.replace("watched", "unwatched")
    source = Local(Path(beside), "run")
    for number in range(4):
        await source.mkdir("")
        data = NEW * (CHUNK // len(NEW) + 1) if number == 2 else NEW
        await source.put(f"{number}", Content.of(data, mtime_ns=10**18), expect=None)
    batch = []
    async for page in source.list(""):
        for node in page:
            path = f"folder/{node.name}" if node.name > "1" else node.name
            batch.append(Copy(node.name, node.generation, node.size, node.mtime_ns, path))
    done = await local.copy_from(source, batch, Copying(durability=durability))
    assert None not in done
    await source.close()


async def copy_one_by_one(local: Local) -> None:
    await copy(local, "file")


async def copy_all_at_once(local: Local) -> None:
    with mock.patch.object(flush, "FEW", 1):
        await copy(local)


ACTS = (create, create_several, create_several_at_once, create_large, overwrite, overwrite_inside, throw,
        throw_folder, bring_back, move, make, copy, copy_one_by_one, copy_all_at_once)  # fmt: skip


@pytest.mark.torture
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_P14_P8_P10_a_power_cut_inside_a_verb_loses_nothing_and_shows_no_part(
    act: Callable[[Local], Awaitable[None]], tmp_path: Path
) -> None:
    root = written(tmp_path)
    disk = act_on(root, act)

    after = whole(Found(now(root)), "disk")
    allowed = {path: {data} for path, data in OLD.items()}
    for path, data in after.items():
        allowed.setdefault(path, set()).add(data)
    states = check(disk, "disk", OLD, allowed)

    assert states > 5
    for found in disk.states(len(disk.events), random.Random(1)):
        assert whole(found, "disk") == after, "what was said to be done does not outlast a power cut"


@pytest.mark.torture
def test_P14_two_overwrites_that_make_the_same_folder_of_the_trash_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has made it and not synced it yet, while the other already relies on it."""
    root = written(tmp_path)
    disk = Disk(root)
    disk.begin()
    ours = DraftDisk(str(root), Trash(str(root), "run"), 0o022)
    whole_fsync, other = Disk.fsync, list[threading.Thread]()

    def overwrite(path: str) -> None:
        seen = generation_of(os.stat(root / path))
        Draft(ours, path, 10**18, seen).whole(NEW)

    def fsync(self: Disk, fd: int) -> None:
        made = root / ".acdrun-trash" / "run"
        if made.is_dir() and not other:
            other.append(threading.Thread(target=overwrite, args=("gone",)))
            other[0].start()
            other[0].join(0.3)
        whole_fsync(self, fd)

    monkeypatch.setattr(Disk, "fsync", fsync)
    with disk.watched():
        overwrite("file")
        other[0].join(30)

    after = {path: {data} for path, data in OLD.items()}
    check(disk, "disk", OLD, {**after, "file": {OLD["file"], NEW}, "gone": {OLD["gone"], NEW}})
    assert whole(Found(now(root)), "disk")["gone"] == NEW


def now(root: Path) -> dict[str, bytes]:
    """The real files, as `Found.files` has them."""
    return {
        path.relative_to(root.parent).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.torture
def test_P14_a_root_that_was_made_outlasts_a_power_cut(tmp_path: Path) -> None:
    root = tmp_path / "watched" / "above" / "disk"
    (tmp_path / "watched").mkdir()
    disk = Disk(root.parent)
    disk.begin()

    async def main() -> None:
        setting = Setting(remote="disk", base=root.parent, state=tmp_path, run="run")
        local = await Local.open(LocalConfig(type="local", path=str(root)), setting)
        await local.mkdir("")
        await local.put("new", Content.of(NEW, mtime_ns=10**18), expect=None)
        await local.close()

    with disk.watched():
        asyncio.run(main())

    for found in disk.states(len(disk.events), random.Random(1)):
        assert found.files == {"above/disk/new": NEW}


SOURCE = {
    "file": NEW,
    "folder/inner": OLD["folder/inner"],
    "added/deep/a": b"one",
    **{f"added/{number}": b"number %d" % number for number in range(6)},
}


@pytest.mark.torture
@pytest.mark.parametrize(
    ("verify", "durability", "few"),
    [("server", "batch", 16), ("server", "batch", 1), ("server", "file", 16), ("readback", "batch", 1)],
)
def test_P14_P9_a_power_cut_inside_a_run_keeps_the_promises_and_the_next_run_ends_it(
    verify: str, durability: str, few: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "FEW", few)
    root, source = written(tmp_path), tmp_path / "source"
    for name, data in SOURCE.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    for path in ("folder/inner",):
        os.utime(source / path, ns=(10**18, 10**18))
        os.utime(root / path, ns=(10**18, 10**18))
    disk = Disk(root)
    disk.begin()

    with disk.watched():
        assert run(source, root, tmp_path / "state", verify, durability) == 0

    allowed = {path: {data} for path, data in OLD.items()}
    for path, data in SOURCE.items():
        allowed.setdefault(path, set()).add(data)
    states = check(disk, "disk", OLD, allowed)
    assert states > 100
    chance, rebuilt = random.Random(9), itertools.count()
    for upto in range(len(disk.events) + 1):
        for found in disk.states(upto, chance):
            live = whole(found, "disk")
            if "gone" not in live:
                missing = {path for path, data in SOURCE.items() if live.get(path) != data}
                assert not missing, f"I6: trashed, and {missing} is not on the disk"
            if chance.random() < 0.03:
                again = tmp_path / f"again{next(rebuilt)}"
                found.build(again)
                assert run(source, again / "disk", tmp_path / f"state{again.name}", verify, durability) == 0
                assert whole(Found(now(again / "disk")), "disk") == SOURCE
    assert next(rebuilt) > 3


def run(source: Path, destination: Path, state: Path, verify: str, durability: str) -> int:
    """A mirror of one local folder at another."""
    state.mkdir(mode=0o700)
    guard = {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}
    pair = {
        "source": str(source),
        "destination": str(destination),
        "mode": "mirror",
        "guard": guard,
        "checksum": {"verify": verify},
        "durability": durability,
    }
    manifest = loads(
        json.dumps({"version": 1, "name": "power", "jobs": {"job": {"pairs": [pair]}}}), "power.yaml"
    )

    async def main() -> int:
        return int((await app.run(manifest, app.Options(state))).code)

    return asyncio.run(main())


@pytest.mark.torture
@pytest.mark.parametrize("left_out", ["file", "folder"])
def test_P14_the_model_misses_an_fsync_that_is_left_out(
    left_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path)
    disk = Disk(root)
    whole_fsync = Disk.fsync

    def forgetful(self: Disk, fd: int) -> None:
        folder = os.path.isdir(f"/proc/self/fd/{fd}")
        if folder is not (left_out == "folder"):
            whole_fsync(self, fd)

    monkeypatch.setattr(Disk, "fsync", forgetful)
    disk = act_on(root, overwrite)

    allowed = {**{path: {data} for path, data in OLD.items()}, "file": {OLD["file"], NEW}}
    if left_out == "file":
        with pytest.raises(AssertionError, match="I3"):
            check(disk, "disk", OLD, allowed)
    else:
        with pytest.raises(AssertionError, match="I1"):
            check(disk, "disk", OLD, allowed)


@pytest.mark.torture
@pytest.mark.parametrize("left_out", [1, 2])
@pytest.mark.parametrize("act", [copy_all_at_once, create_several_at_once], ids=lambda act: act.__name__)
def test_P14_the_model_misses_a_flush_of_a_batch_that_is_left_out(
    act: Callable[[Local], Awaitable[None]], left_out: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is of the files, the second of their names."""
    root, asked = written(tmp_path), list[int]()
    whole_syncfs = Disk.syncfs

    def forgetful(self: Disk) -> None:
        asked.append(1)
        if len(asked) != left_out:
            whole_syncfs(self)

    monkeypatch.setattr(Disk, "syncfs", forgetful)
    disk = act_on(root, act)
    after = whole(Found(now(root)), "disk")

    assert len(asked) == 2
    with pytest.raises(AssertionError, match="I3" if left_out == 1 else "outlast"):
        check(disk, "disk", OLD, {path: {data} for path, data in after.items()})
        for found in disk.states(len(disk.events), random.Random(1)):
            assert whole(found, "disk") == after, "does not outlast a power cut"
