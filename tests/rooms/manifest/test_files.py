"""What may lie where a manifest is expected."""

from pathlib import Path

import pytest

from runner.manifest.load import load
from runner.model.errors import ManifestError, UsageError
from runner.model.exits import Exit

from .reading import manifest


def test_a_missing_file_names_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "nightly.yaml").write_text(manifest(""))

    with pytest.raises(UsageError) as caught:
        load(tmp_path / "nigthly.yaml")

    assert "nigthly.yaml" in caught.value.message
    assert f'"{tmp_path / "nightly.yaml"}"' in caught.value.hint


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(manifest(""))

    with pytest.raises(UsageError, match="is a folder") as caught:
        load(tmp_path)

    assert "a.yaml" in caught.value.hint


def test_a_path_through_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")

    with pytest.raises(UsageError):
        load(tmp_path / "a" / "b.yaml")


def test_a_problem_ends_with_the_exit_code_of_usage(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")

    with pytest.raises(ManifestError) as caught:
        load(tmp_path / "a.yaml")

    assert caught.value.exit == Exit.USAGE


def test_bytes_that_are_not_utf8_are_refused_at_their_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("version: 1\n# é".encode() + b"\xe9\n")

    with pytest.raises(ManifestError) as caught:
        load(file)

    assert str(caught.value.problems[0]).startswith(f"{file}:2:4: not-utf8: byte 0xe9")


def test_utf16_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(manifest("").encode("utf-16"))

    with pytest.raises(ManifestError, match="UTF-16"):
        load(file)


def test_a_utf8_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + manifest("").replace("\n", "\r\n").encode())

    assert load(file).name == "nightly"
