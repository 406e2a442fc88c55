"""Listing a disk: what cannot be known is said; cells S8 S11."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from runner.backends import registry
from runner.backends.local import listing, safe, worker
from runner.backends.local.backend import Local
from runner.backends.local.config import LocalConfig
from runner.model.backend import Setting
from runner.model.content import Content
from runner.model.errors import AcdrunError, Denied, NotFound
from runner.model.node import Folder, Node
from runner.model.nodes import Nodes, State
from runner.remote.remote import Remote
from tests.rooms.local.disk import FailingCalls, on


async def walk(remote: Remote) -> list[Folder]:
    return [folder async for folder in remote.walk()]


def test_files_that_nobody_has_asked_for_weigh_little_and_those_that_were_unpacked_weigh_all(
    root: Path,
) -> None:
    (root / "below").mkdir()
    for number in range(80):
        (root / f"{number}").touch()
    nodes = listing.look(str(root), "").nodes()
    assert isinstance(nodes, Nodes)

    packed, all_ = nodes.weight(), list(nodes.stamps)

    assert (packed, nodes.weight(), len(all_)) == (11, 81, 81)


def test_the_nodes_of_a_folder_are_those_of_their_names_in_their_order_whatever_was_asked_before(
    root: Path,
) -> None:
    for name in ("b", "z", "a.c"):
        (root / name).write_text(name)
    (root / "a").mkdir()
    (root / "link").symlink_to("b")
    fresh, asked = listing.look(str(root), "").nodes(), listing.look(str(root), "").nodes()
    assert isinstance(asked, Nodes)

    by_name = [asked.node(name) for name in sorted(asked.stamps)]

    assert [node.name for node in fresh] == ["a", "a.c", "b", "link", "z"]
    assert (
        [tuple(node) for node in fresh]
        == [tuple(node) for node in asked]
        == [tuple(node) for node in by_name]
    )


def test_a_node_shows_size_time_and_identity(root: Path) -> None:
    (root / "file").write_bytes(b"data")
    os.utime(root / "file", ns=(1, 1_500_000_000_123_456_789))
    seen = (root / "file").stat()

    (folder,) = on(root, walk)

    assert folder.nodes == [
        Node(
            "file",
            "file",
            4,
            1_500_000_000_123_456_789,
            None,
            f"{seen.st_dev}:{seen.st_ino}",
            f"{seen.st_dev}:{seen.st_ino}:4:1500000000123456789~{seen.st_ctime_ns}",
        )
    ]


def test_a_missing_root_is_not_found_and_mkdirs_makes_it(tmp_path: Path) -> None:
    root = tmp_path / "root"

    with pytest.raises(NotFound) as caught:
        on(root, walk)
    assert caught.value.hint
    on(root, lambda remote: remote.mkdirs(""))
    assert [folder.nodes for folder in on(root, walk)] == [[]]


def test_a_root_that_is_a_file_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"")

    with pytest.raises(NotFound):
        on(tmp_path / "root", walk)


def test_the_root_may_be_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    (root / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(root)

    (folder,) = on(tmp_path / "link", walk)

    assert [node.name for node in folder.nodes] == ["file"]


@pytest.mark.torture
def test_S8_a_folder_that_may_not_be_read_is_a_gap(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (root / name).mkdir()
    real = os.open

    def guarded(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "b":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", guarded)
    folders = on(root, walk)

    assert [folder.path for folder in folders] == ["", "a", "b", "c"]
    (gap,) = folders[2].gaps
    assert isinstance(gap.error, Denied)
    assert (gap.error.remote, gap.error.path) == ("disk", "b")


@pytest.mark.torture
def test_S11_a_mount_that_leads_back_up_is_not_entered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a" / "loop").mkdir(parents=True)
    real, above = safe.identity, safe.identity((root / "a").stat())
    loop = real((root / "a" / "loop").stat())
    monkeypatch.setattr(safe, "identity", lambda seen: above if real(seen) == loop else real(seen))

    _, a = on(root, walk)

    assert [(node.name, node.kind) for node in a.nodes] == [("loop", "other")]


def test_a_disk_that_fails_while_it_is_listed_is_a_gap(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "file").write_bytes(b"")

    FailingCalls(1, errno.EIO, ("scandir",)).install(monkeypatch)
    (folder,) = on(root, walk)

    assert (list(folder.nodes), len(folder.gaps)) == ([], 1)


def test_a_relative_root_is_below_the_manifest_and_a_tilde_is_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    async def opened(path: str, below: str) -> None:
        config = LocalConfig(type="local", path=path, root=below)
        disk = await Local.open(config, Setting("disk", tmp_path / "jobs", tmp_path / "state", "run"))
        remote = Remote("disk", disk)
        await remote.mkdirs("")
        await remote.put("file", Content.of(b""))
        await remote.close()

    asyncio.run(opened("data", "sub"))
    asyncio.run(opened("~/data", ""))
    asyncio.run(opened(str(tmp_path / "absolute"), ""))

    assert (tmp_path / "jobs" / "data" / "sub" / "file").exists()
    assert (tmp_path / "home" / "data" / "file").exists()
    assert (tmp_path / "absolute" / "file").exists()


def test_the_registry_leads_to_this_backend() -> None:
    assert registry.backend("local") is Local
    assert registry.config("local") is LocalConfig


def test_room_is_that_of_the_file_system(root: Path) -> None:
    seen = os.statvfs(root)

    quota = on(root, lambda remote: remote.quota())

    assert quota.total == seen.f_blocks * seen.f_frsize
    assert quota.free is not None
    assert quota.used is not None
    assert quota.free + quota.used <= seen.f_blocks * seen.f_frsize


def test_folders_are_listed_in_batches_as_one_by_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ENOUGH", 3)
    folders = ["", "a", "a/b", "gone", "c", "link", "d"]
    for folder in ("a/b", "c", "d"):
        (root / folder).mkdir(parents=True)
        (root / folder / "file").write_bytes(b"data")
    (root / "link").symlink_to("c")

    async def main(remote: Remote) -> None:
        left = folders
        while left:
            some = await remote.list_some(left)
            for folder, found in zip(left, some, strict=False):
                if isinstance(found, AcdrunError):
                    with pytest.raises(type(found)) as alone:
                        await anext(remote.list(folder))
                    assert str(alone.value) == str(found)
                else:
                    assert list(found) == list(await anext(remote.list(folder)))
            assert 1 <= len(some) <= 4
            left = left[len(some) :]

    on(root, main)


def state(root: Path) -> State | None:
    """Of the files directly in the folder."""
    (folder, *_) = on(root, walk)
    return folder.nodes.state()


def test_a_state_stands_for_every_generation_of_a_folder(root: Path) -> None:
    for name in ("a", "b"):
        (root / name).write_bytes(b"data")
    (root / "sub").mkdir()
    states = [state(root)]

    (root / "sub" / "deeper").write_bytes(b"")
    assert state(root) == states[0]
    (root / "a").write_bytes(b"atad")
    states.append(state(root))
    os.utime(root / "a", ns=(0, 0))
    states.append(state(root))
    (root / "b").chmod(0o600)
    states.append(state(root))
    (root / "b").rename(root / "c")
    states.append(state(root))
    (root / "c").unlink()
    states.append(state(root))

    assert len(set(states)) == len(states)
    assert {one.folder for one in states if one} == {f"{root.stat().st_dev}:{root.stat().st_ino}"}
