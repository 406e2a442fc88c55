"""Nothing is copied into itself, whatever the names that lead there, and no two pairs write to one place."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.manifest import overlaps
from runner.manifest.load import loads
from runner.manifest.manifest import Manifest
from runner.model.errors import ManifestError

REMOTES = """\
  disk: {type: local, path: .}
  one: {type: memory, store: shared}
  two: {type: memory, store: shared, root: in}
"""


def load(folder: Path, *ends: tuple[str, str], needs: Sequence[int] = (), one_job: bool = False) -> Manifest:
    """A manifest with these pairs: all in one job, or each in its own, that needs those numbers before it."""
    pairs = [f"{{source: '{source}', destination: '{there}', mode: mirror}}" for source, there in ends]
    jobs = [f"  j: {{pairs: [{', '.join(pairs)}]}}"]
    if not one_job:
        jobs = [
            f"  j{i}: {{needs: [{', '.join(f'j{n}' for n in needs if n < i)}], pairs: [{pair}]}}"
            for i, pair in enumerate(pairs)
        ]
    text = f"version: 1\nname: x\nremotes:\n{REMOTES}jobs:\n" + "\n".join(jobs) + "\n"
    return loads(text, str(folder / "m.yaml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With `a/b`, and `link` that leads to `a`."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    return tmp_path


@pytest.mark.torture
@pytest.mark.parametrize(
    ("source", "destination", "how"),
    [
        ("a", "a", "is"),
        ("a", "./a/../a/", "is"),
        ("a", "a/b", "lies within"),
        ("a", "a/new/deep", "lies within"),
        ("a/b", "a", "holds"),
        ("new", "new/er", "lies within"),
        ("a", "link", "is"),
        ("link", "a/b", "lies within"),
        ("link/new", "a/new", "is"),
        ("a", "disk:a", "is"),
        ("disk:a/b", "link", "holds"),
        ("one:in/x", "two:x", "is"),
        ("one:", "two:x", "lies within"),
        ("one:in/X", "two:x/y", "lies within"),
    ],
)
def test_G6_a_destination_that_meets_its_source_is_refused(
    folder: Path, source: str, destination: str, how: str
) -> None:
    with pytest.raises(ManifestError, match=f"overlap: the destination .* {how} its own source"):
        load(folder, (source, destination))


@pytest.mark.torture
@pytest.mark.parametrize(
    ("source", "destination"), [("a", "A"), ("a", "A/b"), ("A/new", "a/NEW"), ("a/B", "A/b/deep/er")]
)
def test_G6_names_that_differ_in_case_are_one_on_a_disk_that_folds(
    folder: Path, source: str, destination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlaps, "_inode", _folding)

    with pytest.raises(ManifestError, match="overlap"):
        load(folder, (source, destination))


def test_names_that_differ_in_case_are_two_on_a_disk_that_does_not_fold(folder: Path) -> None:
    assert load(folder, ("a", "A")).warnings == ()


def _folding(path: str) -> overlaps.Mark | None:
    """What a disk says that takes names in any letters: the entry whose name folds the same."""
    here = "/"
    for part in path.split("/"):
        names = {name.casefold(): name for name in os.listdir(here)} if os.path.isdir(here) else {}
        here = os.path.join(here, names.get(part.casefold(), part))
    return ("local", 1, os.lstat(here).st_ino) if os.path.lexists(here) else None


@pytest.mark.torture
def test_G6_a_folder_that_is_mounted_twice_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = overlaps._inode
    (folder / "mounted").mkdir()
    again = str(folder / "mounted")
    monkeypatch.setattr(overlaps, "_inode", lambda path: true(path.replace(again, str(folder / "a"))))

    with pytest.raises(ManifestError, match=r"the destination .* lies within its own source"):
        load(folder, ("a", "mounted/b"))


@pytest.mark.torture
@pytest.mark.parametrize(
    "ends", [(("s", "a"), ("t", "link")), (("s", "a/b"), ("t", "disk:a")), (("s", "new/x"), ("t", "new"))]
)
@pytest.mark.parametrize("needs", [(), (0,)])
def test_G6_two_destinations_within_each_other_are_refused_in_any_order(
    folder: Path, ends: tuple[tuple[str, str], tuple[str, str]], needs: tuple[int, ...]
) -> None:
    with pytest.raises(ManifestError, match="overlap: the destination"):
        load(folder, *ends, needs=needs)


@pytest.mark.parametrize(("first", "second"), [("x", "x"), ("x", "x/y"), ("x/y", "x")])
@pytest.mark.parametrize("one_job", [False, True])
def test_reading_what_another_pair_writes_is_warned_of_unless_one_needs_the_other(
    folder: Path, first: str, second: str, one_job: bool
) -> None:
    ends = [("s", first), (second, "far")]

    (warning,) = load(folder, *ends, one_job=one_job).warnings
    ordered = load(folder, *ends, needs=(0,)).warnings

    assert warning.code == "unordered"
    assert "nothing says which comes first" in warning.message
    assert ordered == ()


def test_two_pairs_that_would_exchange_their_contents_are_refused_unless_one_needs_the_other(
    folder: Path,
) -> None:
    ends = [("a/b", "x"), ("x", "a/b")]

    with pytest.raises(ManifestError, match="nothing says which comes first"):
        load(folder, *ends)

    assert load(folder, *ends, needs=(0,)).warnings == ()


def test_thousands_of_pairs_are_looked_at_once_each(folder: Path) -> None:
    ends = [(f"s{i}", f"one:d/{i}") for i in range(300)]

    assert load(folder, *ends).warnings == ()
