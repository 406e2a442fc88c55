"""The hash cache keeps what cannot change unseen, and only for the place it was seen at."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.model.checksum import Checksum
from runner.model.nodes import State
from runner.state.database import APPLICATION
from runner.state.hashes import RACY_NS, Hashes

NOW = 10**18
SUM = Checksum.of("md5", b"x")

FIRST_FORMAT = f"""
CREATE TABLE hash (
    place TEXT NOT NULL, generation TEXT NOT NULL, checksum TEXT NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (place, generation)
) STRICT, WITHOUT ROWID;
INSERT INTO hash VALUES ('here', 'g', '{SUM}', {NOW // 10**9 // 86400});
PRAGMA application_id={APPLICATION};
PRAGMA user_version=1;
"""
"""As the first versions wrote it."""


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


def test_a_folder_is_known_whole_once_all_its_files_are(tmp_path: Path) -> None:
    path, generations, still = tmp_path / "hashes.db", ["g1", "g2"], State("folder", b"as it stood")
    sums = [Checksum.of("md5", generation.encode()) for generation in generations]
    hashes = Hashes(path)
    assert hashes.whole("here", still, "md5") is None
    hashes.ask("here", still, "md5", generations)
    hashes.learn("here", "g1", sums[0], 0, NOW)
    hashes.close()
    hashes = Hashes(path)
    assert hashes.whole("here", still, "md5") is None
    hashes.ask("here", still, "md5", generations)
    hashes.learn("here", "g2", sums[1], 0, NOW)
    hashes.close()

    hashes = Hashes(path)
    assert hashes.whole("here", still, "md5") == bytes.fromhex("".join(checksum.digest for checksum in sums))
    assert hashes.whole("here", State("folder", b"changed"), "md5") is None
    assert hashes.whole("there", still, "md5") is None
    assert hashes.whole("here", still, "sha256") is None
    hashes.close()


def test_a_cache_of_an_older_version_is_kept_and_knows_folders_from_then_on(tmp_path: Path) -> None:
    path, still = tmp_path / "hashes.db", State("folder", b"as it stood")
    with closing(sqlite3.connect(path)) as older:
        older.executescript(FIRST_FORMAT)

    for known in (None, bytes.fromhex(SUM.digest)):
        hashes = Hashes(path)
        assert hashes.known("here", ["g"], "md5") == {"g": SUM}
        assert hashes.whole("here", still, "md5") == known
        hashes.ask("here", still, "md5", ["g"])
        hashes.close()

    assert [file.name for file in tmp_path.glob("*damaged*")] == []


def test_a_folder_with_a_file_that_may_change_unseen_is_never_known_whole(tmp_path: Path) -> None:
    path, still = tmp_path / "hashes.db", State("folder", b"as it stood")
    hashes = Hashes(path)
    hashes.ask("here", still, "md5", ["old", "young"])
    hashes.learn("here", "old", SUM, 0, NOW)
    hashes.learn("here", "young", SUM, NOW - RACY_NS + 1, NOW)
    hashes.close()

    hashes = Hashes(path)
    assert hashes.whole("here", still, "md5") is None
    hashes.close()


def test_however_many_folders_are_asked_for_each_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.state.hashes._MOST", 2)
    monkeypatch.setattr("runner.state.hashes._FOLDERS", 3)
    path = tmp_path / "hashes.db"
    hashes = Hashes(path)
    for number in range(8):
        hashes.ask("here", State(str(number), b""), "md5", [f"g{number}"])
        hashes.learn("here", f"g{number}", SUM, 0, NOW)
    hashes.ask("here", State("too many", b""), "md5", ["g1", "g2", "g3"])
    hashes.close()

    hashes = Hashes(path)
    known = [hashes.whole("here", State(str(number), b""), "md5") for number in range(8)]
    assert known == [bytes.fromhex(SUM.digest)] * 8
    assert hashes.whole("here", State("too many", b""), "md5") is None
    hashes.close()


def test_what_nobody_asks_for_goes_in_the_end_and_what_is_asked_for_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "hashes.db", State("folder", b"print")
    generations = ["still there", "there, too"]
    every = [*generations, "gone"]
    day, whole = 20_000, []

    def run(place: Hashes) -> None:
        known = place.whole("here", folder, "md5")
        whole.append(known is not None)
        if known is None:
            for generation in every if day == 20_000 else ():
                place.learn("here", generation, SUM, 0, NOW)
            place.known("here", generations, "md5")
            place.ask("here", folder, "md5", generations)
        place.close()

    monkeypatch.setattr("runner.state.hashes._today", lambda: day)
    while day < 20_000 + 10 * 30:
        run(Hashes(path))
        day += 10

    hashes = Hashes(path)
    assert set(hashes.known("here", every, "md5")) == set(generations)
    assert whole.count(True) >= 0.6 * len(whole)
    hashes.close()


def test_a_clock_that_was_set_back_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hashes.db"
    for day in (30_000, 20_000, 20_001):
        monkeypatch.setattr("runner.state.hashes._today", lambda day=day: day)
        hashes = Hashes(path)
        hashes.learn("here", f"g{day}", SUM, 0, NOW)
        hashes.close()

    hashes = Hashes(path)
    assert len(hashes.known("here", ["g30000", "g20000", "g20001"], "md5")) == 3
    hashes.close()
