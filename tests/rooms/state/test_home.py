"""Where state may live, and what is kept for the day its disk is full."""

import os
from pathlib import Path

import pytest

from runner.model.errors import StateError
from runner.state import home
from runner.state.home import BALLAST_BYTES, drop_ballast, file_system, load_ballast, state_dir

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / {root} rw,relatime shared:5 - {kind} host:/export rw,vers=4.2
31 30 0:41 / {root}/local\\040disk rw shared:6 - xfs /dev/vdb rw
"""


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(root=tmp_path, kind=kind))
    monkeypatch.setattr(home, "MOUNTS", mounts)
    monkeypatch.setenv("ACDRUN_STATE", str(tmp_path / "state"))

    with pytest.raises(StateError, match=rf"network file system \({kind}\)"):
        state_dir()
    assert file_system(tmp_path / "local disk" / "state") == "xfs"
    monkeypatch.setenv("ACDRUN_STATE", str(tmp_path / "local disk" / "state"))
    assert state_dir() == tmp_path / "local disk" / "state"


def test_where_the_system_does_not_say_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "MOUNTS", tmp_path / "none")
    monkeypatch.setenv("ACDRUN_STATE", str(tmp_path / "state"))

    assert state_dir() == tmp_path / "state"


def test_a_file_in_its_place_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("")
    monkeypatch.setenv("ACDRUN_STATE", str(tmp_path / "state"))

    with pytest.raises(StateError, match="cannot be made") as caught:
        state_dir()
    assert "ACDRUN_STATE" in caught.value.hint


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12345, 12345)
    monkeypatch.setenv("ACDRUN_STATE", str(tmp_path / "state"))

    with pytest.raises(StateError, match="belongs to another user"):
        state_dir()


@pytest.mark.skipif(os.getuid() == 0, reason="nothing keeps root from writing")
def test_a_folder_that_cannot_be_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = tmp_path / "above"
    above.mkdir(mode=0o500)
    monkeypatch.setenv("ACDRUN_STATE", str(above / "state"))

    with pytest.raises(StateError, match="cannot be made"):
        state_dir()


def test_the_ballast_gives_back_the_room_it_took(tmp_path: Path) -> None:
    load_ballast(tmp_path)
    load_ballast(tmp_path)
    assert (tmp_path / "ballast").stat().st_size == BALLAST_BYTES

    drop_ballast(tmp_path)
    drop_ballast(tmp_path)
    assert list(tmp_path.iterdir()) == []
