"""The hash cache keeps what cannot change unseen, and only for the place it was seen at."""

from pathlib import Path

import pytest

from runner.model.checksum import Checksum
from runner.state.hashes import RACY_NS, Hashes

NOW = 10**18
SUM = Checksum.of("md5", b"x")


@pytest.mark.parametrize("age_ns", [0, 1, RACY_NS - 1, -1, -(10**15)])
def test_a_file_that_may_change_unseen_is_not_kept(tmp_path: Path, age_ns: int) -> None:
    hashes = Hashes(tmp_path / "hashes.db")

    hashes.learn("here", "g", SUM, NOW - age_ns, NOW)

    assert hashes.known("here", ["g"], "md5") == {}
    hashes.close()


def test_a_file_without_a_time_is_not_kept(tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "hashes.db")

    hashes.learn("here", "g", SUM, None, NOW)

    assert hashes.known("here", ["g"], "md5") == {}
    hashes.close()


@pytest.mark.parametrize("flushed", [False, True])
def test_an_old_file_is_kept_for_its_place_generation_and_algorithm(tmp_path: Path, flushed: bool) -> None:
    hashes = Hashes(tmp_path / "hashes.db")

    hashes.learn("here", "g", SUM, NOW - RACY_NS, NOW)
    if flushed:
        hashes.close()
        hashes = Hashes(tmp_path / "hashes.db")

    assert hashes.known("here", ["f", "g"], "md5") == {"g": SUM}
    assert hashes.known("there", ["g"], "md5") == {}
    assert hashes.known("here", ["g"], "sha256") == {}
    hashes.close()


def test_more_generations_than_one_query_holds_are_all_found(tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "hashes.db")
    every = [f"g{number}" for number in range(1201)]
    for generation in every:
        hashes.learn("here", generation, SUM, NOW - RACY_NS, NOW)

    assert set(hashes.known("here", every, "md5")) == set(every)
    hashes.close()


def test_a_cache_that_is_damaged_while_it_is_used_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "hashes.db"
    hashes = Hashes(path)
    for number in range(3000):
        hashes.learn("disk", f"g{number}", Checksum("md5", f"{number:032x}"), 0, 10**19)
    hashes.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(byte ^ 0x5A for byte in data[4096:])
    path.write_bytes(data)

    hashes = Hashes(path)
    assert hashes.known("disk", ["g1"], "md5") == {}
    hashes.learn("disk", "g1", Checksum("md5", "1" * 32), 0, 10**19)
    hashes.close()

    assert set(Hashes(path).known("disk", ["g1"], "md5")) == {"g1"}
    assert (tmp_path / "hashes.db.damaged").exists()


def test_kin_differ_after_the_tilde_only_and_agree_on_one_content(tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "hashes.db")
    for generation, content in (
        ("1:2~3", b"x"),
        ("1:2~4", b"x"),
        ("1:3~1", b"x"),
        ("1:3~2", b"y"),
        ("1:22~3", b"z"),
    ):
        hashes.learn("here", generation, Checksum.of("md5", content), 0, NOW)

    found = hashes.kin("here", ["1:2~9", "1:3~9", "1:4~9", "9", "1:2"], "md5")

    assert found == {"1:2~9": SUM}
    assert hashes.kin("there", ["1:2~9"], "md5") == hashes.kin("here", ["1:2~9"], "sha256") == {}
    hashes.close()
