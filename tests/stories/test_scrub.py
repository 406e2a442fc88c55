"""Bytes that rot in the drive: found, not restored, put right."""

import hashlib
from pathlib import Path

from tests.stories.conftest import Machine

CONTENT = b"a picture that nobody has twice\n" * 100


def rot(machine: Machine) -> Path:
    """Turn one bit of the picture round where the drive keeps it; what the drive says of it stays."""
    (stored,) = [
        path
        for path in (machine.state / "emulator/cloud/content").rglob("*")
        if path.is_file() and path.read_bytes() == CONTENT
    ]
    stored.chmod(0o600)
    stored.write_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1:])
    return stored


def test_rot_in_the_drive_is_found_by_reading_never_restored_and_repaired(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({"2024/a.jpg": CONTENT, "b.jpg": "another"})
    machine.acdrun(job)
    rotten = rot(machine)

    quick = machine.acdrun("verify", job)
    scrubbed = machine.acdrun("verify", "--read", job)
    restored = machine.acdrun("restore", job, "back")
    repaired = machine.acdrun("verify", "--read", "--repair", job)
    again = machine.acdrun("verify", "--read", job)

    assert quick.code == 0, "what the drive says of itself hides it"
    assert scrubbed.code == 9
    assert "2024/a.jpg: its bytes are not those that were stored" in scrubbed.out
    assert restored.code == 9
    assert "the source is damaged" in restored.out
    assert not (machine.home / "back/2024/a.jpg").exists()
    assert (machine.home / "back/b.jpg").read_text() == "another"
    assert repaired.code == 0, repaired.out
    assert again.code == 0
    assert rotten.exists(), "the old bytes are in the trash"
    with machine.drive() as drive:
        assert drive.trashed() == ["a.jpg"]
        assert drive.files()["photos/2024/a.jpg"] == hashlib.md5(CONTENT).hexdigest()
