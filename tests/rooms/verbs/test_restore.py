"""`restore`: what is stored comes back, proven."""

from pathlib import Path

from tests.rooms.cli.conftest import Acdrun, manifest, write
from tests.rooms.verbs.test_verify import snapshot


def test_everything_comes_back_and_a_second_time_nothing_is_left_to_do(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")

    first, second = acdrun("restore", "m.yaml", "back"), acdrun("restore", "m.yaml", "back")

    assert (first.code, second.code) == (0, 0)
    assert snapshot(place / "back") == snapshot(place / "src")
    assert f"restored 3 files (2.94KiB) to {place}/back, proven by md5" in first.out
    assert "restored 0 files (0B)" in second.out
    assert "there already: 3 files (2.94KiB)" in second.out


def test_a_file_that_differs_is_replaced_and_kept_in_the_trash(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    write(place / "back/one.txt", "mine")
    write(place / "back/other.txt", "stays")

    said = acdrun("restore", "m.yaml", "back")

    assert said.code == 0
    assert "replaced: 1 file (3B), the old content is in the trash there" in said.out
    assert (place / "back/one.txt").read_text() == "one"
    assert (place / "back/other.txt").read_text() == "stays"
    assert b"mine" in snapshot(place / "back").values()


def test_a_file_of_the_same_size_and_time_is_compared_by_content(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    acdrun("restore", "m.yaml", "back")
    from tests.rooms.verbs.test_verify import damage

    damage(place / "back/one.txt")

    assert acdrun("restore", "m.yaml", "back").code == 0
    assert (place / "back/one.txt").read_text() == "one"


def test_filters_choose_what_comes_back(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")

    acdrun("restore", "--include", "two.txt", "m.yaml", "some")
    acdrun("restore", "--exclude", "deep/", "m.yaml", "most")

    assert list(snapshot(place / "some")) == ["sub/two.txt"]
    assert sorted(snapshot(place / "most")) == ["one.txt", "sub/two.txt"]


def test_several_pairs_go_into_folders_of_their_own_and_one_straight_in(acdrun: Acdrun, place: Path) -> None:
    two = "      - { source: src/sub, destination: other, mode: mirror }\n"
    write(place / "m.yaml", manifest() + two)
    acdrun("m.yaml")

    acdrun("restore", "m.yaml", "all")
    acdrun("restore", "--pair", "photos#2", "m.yaml", "one")

    assert snapshot(place / "all/photos") == snapshot(place / "src")
    assert snapshot(place / "all/photos#2") == snapshot(place / "one") == snapshot(place / "src/sub")


def test_a_plan_of_it_writes_nothing(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")

    said = acdrun("restore", "--plan", "m.yaml", "back")

    assert said.code == 0
    assert "to do it:  acdrun restore m.yaml back\n" in said.out
    assert not (place / "back").exists()


def test_what_was_never_stored_cannot_come_back(acdrun: Acdrun, place: Path) -> None:
    said = acdrun("restore", "m.yaml", "back")

    assert said.code == 4
    assert "the source does not exist" in said.out
    assert not (place / "back").exists()
