"""Looking into the local trash, and out of it again."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from runner.backends.local.backend import Local
from runner.backends.local.config import LocalConfig
from runner.model.backend import Setting
from runner.model.errors import Blocked, NotFound
from runner.remote.remote import Remote
from tests.rooms.local.disk import files, on


async def shown(remote: Remote) -> dict[str, str | None]:
    """What is in the trash: way back to path."""
    return {entry.ref: entry.path async for page in remote.trashed() for entry in page}


def test_the_trash_of_another_file_system_is_found_below(root: Path) -> None:
    there = root / "mount" / ".acdrun-trash" / "run"
    there.mkdir(parents=True)
    (there / "file").write_bytes(b"data")

    async def act(remote: Remote) -> tuple[dict[str, str | None], str]:
        found = await shown(remote)
        return found, await remote.restore(next(iter(found)))

    found, path = on(root, act)

    assert found == {"mount/.acdrun-trash/run/file": "mount/file"}
    assert path == "mount/file"
    assert files(root) == {"mount/file": b"data"}


def test_what_is_trashed_below_a_folder_that_was_trashed_is_kept_apart(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "old").write_bytes(b"old")

    async def act(remote: Remote) -> dict[str, str | None]:
        await remote.trash("a")
        (root / "a").mkdir()
        (root / "a" / "new").write_bytes(b"new")
        await remote.trash("a/new")
        return await shown(remote)

    found = on(root, act)

    assert found == {".acdrun-trash/run/a": "a", ".acdrun-trash/run.2/a/new": "a/new"}


def test_a_disk_that_keeps_no_modes_fills_one_run_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.backends.local.trash._ROOM", 0o700)
    monkeypatch.setattr("runner.backends.local.trash.is_room", lambda seen: False)
    for name in ("a/b/x", "a/b/y"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"data")

    async def act(remote: Remote) -> list[str]:
        return [await remote.trash("a/b/x"), await remote.trash("a/b/y")]

    assert on(root, act) == [".acdrun-trash/run/a/b/x", ".acdrun-trash/run/a/b/y"]


@pytest.mark.parametrize(
    "ref",
    ["", "file", ".acdrun-trash", ".acdrun-trash/run", ".acdrun-trash/run/../../file", "../.acdrun-trash/run/x",
     ".acdrun-trash/run//file", "/.acdrun-trash/run/file"],
)  # fmt: skip
def test_a_way_back_that_was_never_given_out_leads_nowhere(ref: str, root: Path) -> None:
    (root / "file").write_bytes(b"data")

    async def act(remote: Remote) -> None:
        await remote.trash("file")
        with pytest.raises((NotFound, Blocked)):
            await remote.restore(ref)

    on(root, act)

    assert files(root) == {".acdrun-trash/run/file": b"data"}


def test_a_link_in_the_trash_comes_back_as_itself(root: Path) -> None:
    os.symlink("/etc/passwd", root / "link")

    async def act(remote: Remote) -> str:
        return await remote.restore(await remote.trash("link"))

    assert on(root, act) == "link"
    assert os.readlink(root / "link") == "/etc/passwd"


def test_nothing_is_restored_through_a_link(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "a").mkdir()
    (root / "a" / "file").write_bytes(b"data")

    async def act(remote: Remote) -> None:
        ref = await remote.trash("a/file")
        (root / "a").rmdir()
        os.symlink(outside, root / "a")
        with pytest.raises((NotFound, Blocked)):
            await remote.restore(ref)

    on(root, act)

    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(("concurrency", "most"), [("auto", 4), (2, 2), (7, 7)])
def test_as_many_calls_go_on_at_once_as_the_limit_says(concurrency: object, most: int, root: Path) -> None:
    fields = {"type": "local", "path": root.name, "limits": {"concurrency": concurrency}}
    now, seen = [0], [0]

    def call() -> None:
        now[0] += 1
        seen[0] = max(seen[0], now[0])
        time.sleep(0.02)
        now[0] -= 1

    async def work() -> None:
        setting = Setting(remote="disk", base=root.parent, state=root.parent / "state", run="run")
        local = await Local.open(LocalConfig.model_validate(fields), setting)
        await asyncio.gather(*[local._threads.run(call) for _ in range(20)])
        await local.close()

    asyncio.run(work())

    assert seen[0] == most
