"""The identity of a local folder: the disk and the folder on it, not the names that lead there."""

import os
from pathlib import Path

import pytest

from runner.backends.local import identity
from runner.backends.local.identity import identify
from runner.model.errors import NotFound


def test_a_folder_is_the_same_under_another_name_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a/sub").mkdir(parents=True)
    before = identify(str(tmp_path / "a"), "sub")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "link").symlink_to("b")

    after = identify(str(tmp_path / "link"), "sub")

    assert after.id == before.id
    assert after.path == str(tmp_path.resolve() / "b/sub")


def test_another_folder_of_the_same_name_is_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    before = identify(str(tmp_path / "a"), "")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()

    assert identify(str(tmp_path / "a"), "").id != before.id


def test_the_mount_is_the_folder_above_which_another_disk_begins(tmp_path: Path) -> None:
    mount = Path(identify(str(tmp_path), "").mount)

    assert tmp_path.resolve().is_relative_to(mount)
    assert mount.stat().st_dev == tmp_path.stat().st_dev
    assert mount == mount.parent or mount.parent.stat().st_dev != mount.stat().st_dev


def test_a_disk_is_known_by_the_uuid_of_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = tmp_path / "by-uuid"
    devices.mkdir()
    (devices / "8c2f-11aa").symlink_to("/dev/null")
    monkeypatch.setattr(identity, "_BY_UUID", str(devices))

    assert identity._uuid(os.stat("/dev/null").st_rdev) == "8c2f-11aa"
    assert identity._uuid(os.stat(tmp_path).st_dev) == ""


@pytest.mark.parametrize(
    ("line", "kind", "source"),
    [
        ("36 25 {} / /mnt rw,noatime shared:1 - nfs4 nas:/export rw,vers=4", "nfs4", "nas:/export"),
        ("36 25 {} / /mnt rw - cifs //nas/share rw", "cifs", "//nas/share"),
        ("36 25 {} / /mnt rw - vfat /dev/sdb1 rw", "vfat", ""),
        ("36 25 0:999999 / /mnt rw - ext4 /dev/sdb1 rw", "", ""),
        ("nonsense", "", ""),
    ],
)
def test_what_is_mounted_is_read_from_the_kernels_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, kind: str, source: str
) -> None:
    device = os.stat(tmp_path).st_dev
    (tmp_path / "mountinfo").write_text(line.format(f"{os.major(device)}:{os.minor(device)}") + "\n")
    monkeypatch.setattr(identity, "_MOUNTS", str(tmp_path / "mountinfo"))

    assert identity._mounted(device) == (kind, source)


def test_where_files_are_numbered_anew_with_each_mount_a_folder_is_known_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_mounted", lambda device: identity._Mounted("exfat", ""))
    (tmp_path / "a").mkdir()
    before = identify(str(tmp_path / "a"), "")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()

    assert identify(str(tmp_path / "a"), "").id == before.id != identify(str(tmp_path / "b"), "").id


def test_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(NotFound):
        identify(str(tmp_path / "file"), "")
