"""`remote:path` or a path of this machine, and places within each other."""

from pathlib import Path

import pytest

from runner.manifest.load import loads
from runner.manifest.location import BadLocation, parse_location
from runner.model.errors import ManifestError
from runner.model.pair import Location

from .reading import FILE, codes, load, only, problems


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("cloud:photos/2024", Location("cloud", "photos/2024")),
        ("cloud:", Location("cloud", "")),
        ("cloud:/photos//x/./y/", Location("cloud", "photos/x/y")),
        ("my cloud-1.x_y:a:b", Location("my cloud-1.x_y", "a:b")),
        ("7:a", Location("7", "a")),
        ("C:a", Location("C", "a")),
        ("/srv/a:b", Location("", "/srv/a:b")),
        ("//srv", Location("", "/srv")),
        ("./a:b", Location("", "/here/a:b")),
        ("../a", Location("", "/a")),
        ("..", Location("", "/")),
        ("photos", Location("", "/here/photos")),
        ("a/b:c", Location("", "/here/a/b:c")),
        (":a", Location("", "/here/:a")),
        ("-a:b", Location("", "/here/-a:b")),
        ("_a:b", Location("", "/here/_a:b")),
        ("~/x", Location("", "/home/me/x")),
        ("~", Location("", "/home/me")),
    ],
)
def test_a_text_names_one_place(text: str, location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")

    assert parse_location(text, "/here") == location


@pytest.mark.parametrize(
    "text", ["", "  ", "a\0b", "C:\\Users", "cloud:../x", "cloud:a/../../x", "~nobody-of-that-name/x"]
)
def test_a_text_that_names_no_place_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(BadLocation) as caught:
        parse_location(text, "/here")

    assert caught.value.hint


def test_a_windows_path_is_called_one() -> None:
    assert "path of Windows" in only(_pairs((r"C:\Users", "cloud:a"))).message


def test_relative_paths_start_at_the_manifests_folder(tmp_path: Path) -> None:
    loaded = loads(_pairs(("photos", "cloud:a")), str(tmp_path / FILE))

    assert loaded.pairs[0].source.path == str(tmp_path / "photos")


def test_relative_paths_of_a_local_remote_start_there_too(tmp_path: Path) -> None:
    loaded = loads(_pairs(("/a", "disk:b"), remotes="disk: {type: local, path: x}"), str(tmp_path / FILE))

    assert loaded.remotes["disk"].model_dump()["path"] == str(tmp_path / "x")


def _pairs(*ends: tuple[str, str], remotes: str = "other: {type: local}") -> str:
    head = f"version: 1\nname: x\nremotes:\n  cloud: {{type: acd, server: embedded}}\n  {remotes}\njobs:\n"
    jobs = "".join(
        f"  j{number}: {{pairs: [{{source: '{source}', destination: '{destination}', mode: copy}}]}}\n"
        for number, (source, destination) in enumerate(ends)
    )
    return head + jobs


@pytest.mark.parametrize(
    "ends",
    [
        [("/a", "cloud:x"), ("/b", "cloud:x")],
        [("/a", "cloud:x"), ("/b", "cloud:x/y/z")],
        [("/a", "cloud:x/y"), ("/b", "cloud:x")],
        [("/a", "cloud:x"), ("/b", "cloud:x-y"), ("/c", "cloud:x/y")],
        [("/a", "cloud:"), ("/b", "cloud:x")],
        [("/a", "cloud:Photos"), ("/b", "cloud:photos")],
        [("/a", "/x"), ("/b", "/x/y")],
        [("/a", "other:x"), ("/b", "/x/y")],
        [("/a", "/a")],
        [("/a", "/a/b")],
        [("/a/b", "/a")],
        [("cloud:a", "cloud:a/b")],
        [("cloud:", "cloud:a")],
        [("/a", "other:a/b")],
        [("/", "/a")],
    ],
)
def test_places_within_each_other_are_refused(ends: list[tuple[str, str]]) -> None:
    assert only(_pairs(*ends)).code == "overlap"


@pytest.mark.parametrize(
    "ends",
    [
        [("/a", "cloud:x"), ("/b", "cloud:xy")],
        [("/a", "cloud:x/y"), ("/b", "cloud:x-y"), ("/c", "cloud:x/z")],
        [("/a", "cloud:x"), ("/a", "cloud:y")],
        [("/a", "cloud:a")],
        [("/a", "/b"), ("/b", "/c")],
        [("/a", "/ab")],
        [("cloud:a", "/a")],
        [("/a", "/B"), ("/a", "/b")],
    ],
)
def test_places_beside_each_other_are_fine(ends: list[tuple[str, str]]) -> None:
    assert problems(_pairs(*ends)) == []


@pytest.mark.parametrize(
    ("ends", "how"), [(("/a", "/a/b"), "lies within"), (("/a/b", "/a"), "holds"), (("/a", "/a"), "is")]
)
def test_an_overlap_says_which_holds_which(ends: tuple[str, str], how: str) -> None:
    assert only(_pairs(ends)).message == f'the destination of pairs[0] of job "j0" {how} its own source'


def test_two_names_of_one_account_overlap_below_their_roots() -> None:
    text = _pairs(
        ("/a", "cloud:x/y"), ("/b", "twin:y"), remotes="twin: {type: acd, server: embedded, root: x}"
    )

    assert only(text).code == "overlap"


def test_two_accounts_do_not_overlap() -> None:
    text = _pairs(("/a", "cloud:x"), ("/b", "twin:x"), remotes="twin: {type: acd, auth: {token: {env: T}}}")

    assert load(text)


def test_two_memories_do_not_overlap() -> None:
    text = _pairs(("m:", "n:"), remotes="m: {type: memory}\n  n: {type: memory}")

    assert load(text)


def test_two_names_of_one_memory_overlap() -> None:
    text = _pairs(("m:", "n:"), remotes="m: {type: memory, store: s}\n  n: {type: memory, store: s}")

    assert only(text).code == "overlap"


def test_links_are_followed_to_find_an_overlap(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(ManifestError, match="overlap"):
        loads(_pairs(("real", "link/x")), str(tmp_path / FILE))


def test_an_overlap_names_both_pairs_and_the_line() -> None:
    problem = only(_pairs(("/a", "cloud:x"), ("/b", "cloud:x/y")))

    assert problem.message == (
        'the destination of pairs[0] of job "j1" lies within that of pairs[0] of job "j0", in line 7'
    )
    assert problem.place.line == 8


def test_a_bad_remote_does_not_hide_an_overlap() -> None:
    text = _pairs(("/a", "cloud:x"), ("/b", "cloud:x/y")).replace("embedded", "nowhere")

    assert {code.split()[1] for code in codes(text)} == {"bad-value", "overlap"}
