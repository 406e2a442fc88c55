"""The user's remotes are kept whole, and their secrets beside them."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runner.manifest import strict
from runner.manifest.dump import remotes_text, yaml_text
from runner.manifest.findings import Findings
from runner.manifest.keep import Keep
from runner.manifest.leaves import find_leaf
from runner.model.errors import Denied, ManifestError, UsageError
from runner.model.secret import Secret

LOCAL = {"type": "local", "path": "/srv"}
CHECKOUT = Path(__file__).parents[3]
ODD = some.text(
    some.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff")
)


@given(
    some.dictionaries(
        some.text("abc xyz.-_", min_size=1), ODD | some.booleans() | some.integers(-(10**17), 10**17)
    )
)
def test_the_strict_reader_reads_back_what_is_written(fields: dict[str, object]) -> None:
    text = yaml_text({"remotes": {"a": fields}})

    findings = Findings("x", text)
    assert strict.parse(text, findings).value == {"remotes": {"a": fields}}
    assert findings.problems() == []


@pytest.mark.parametrize(
    "text", ["yes", "010", "1e5", "22:00", "~", "", "- a", "a: b", "#", "null", "0x1F", "*a", "8"]
)
def test_a_text_that_looks_like_something_else_stays_a_text(text: str) -> None:
    written = remotes_text({"a": {"type": "local", "path": text}})

    assert strict.parse(written, Findings("x", written)).value["remotes"]["a"]["path"] == text


def test_what_cannot_be_read_back_is_not_written() -> None:
    with pytest.raises(ManifestError):
        remotes_text({"a": {"path": "\0"}})


def test_other_remotes_stay_as_they_are(keep: Keep, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(
        "remotes:\n  old: {type: local, path: /a, limits: {bandwidth: 20MiB/s}}\n"
        "  newer: {type: warp drive}\n"
    )

    keep.store("disk", LOCAL, {})

    assert keep.fields() == {
        "old": {"type": "local", "path": "/a", "limits": {"bandwidth": "20MiB/s"}},
        "newer": {"type": "warp drive"},
        "disk": LOCAL,
    }


def test_a_name_in_use_is_refused_and_nothing_of_it_is_replaced(keep: Keep) -> None:
    leaf = find_leaf("amazon cloud drive", "client_secret")
    assert leaf is not None
    fields = keep.refer("cloud", {"type": "amazon cloud drive"}, leaf)
    keep.store("cloud", fields, {leaf: Secret("first one")})

    with pytest.raises(UsageError, match="there is a remote 'cloud' already"):
        keep.store("cloud", fields, {leaf: Secret("second one")})

    assert keep.vault.path("cloud", "client_secret").read_text() == "first one"


def test_a_secret_that_nothing_refers_to_any_more_is_removed(keep: Keep) -> None:
    leaf = find_leaf("amazon cloud drive", "client_secret")
    assert leaf is not None
    keep.store("cloud", keep.refer("cloud", {"type": "acd"}, leaf), {leaf: Secret("first one")})

    keep.store("cloud", {"type": "acd"}, {}, replace=True)

    assert keep.vault.fields("cloud") == []


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a:b", ".hidden", "a ", "x" * 101, "ä", "a\nb"])
def test_a_name_that_no_manifest_could_use_is_refused(keep: Keep, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        keep.store(name, LOCAL, {})


def test_a_file_that_is_a_link_stays_one(keep: Keep, file: Path, home: Path) -> None:
    real = home / "dotfiles.yaml"
    real.write_text("remotes: {}\n")
    file.parent.mkdir(parents=True)
    file.symlink_to(real)

    keep.store("disk", LOCAL, {})

    assert file.is_symlink()
    assert "path: /srv" in real.read_text()


def test_the_embedded_servers_files_are_not_left_behind_by_a_rename(keep: Keep) -> None:
    keep.store("cloud", {"type": "acd", "server": "embedded"}, {})
    (keep.state / "emulator" / "cloud").mkdir(parents=True)

    with pytest.raises(UsageError, match="left behind"):
        keep.rename("cloud", "attic")

    assert list(keep.fields()) == ["cloud"]


def test_of_two_names_that_end_alike_each_keeps_its_own_secrets(keep: Keep) -> None:
    keep.vault.keep("a", "key", Secret("one"))
    keep.vault.keep("a.b", "key", Secret("two"))

    keep.vault.forget("a")

    assert keep.vault.fields("a.b") == ["key"]


def test_a_secret_goes_into_no_folder_that_others_may_enter(keep: Keep) -> None:
    (keep.state / "secrets").mkdir(mode=0o755)
    (keep.state / "secrets").chmod(0o755)

    with pytest.raises(Denied, match="others may enter"):
        keep.vault.keep("a", "key", Secret("one"))

    assert os.listdir(keep.state / "secrets") == []


def test_of_two_that_write_at_once_both_are_kept(keep: Keep, file: Path) -> None:
    script = """
import sys
from pathlib import Path
from runner.manifest.keep import Keep
keep = Keep(Path(sys.argv[1]), Path(sys.argv[2]))
for number in range(20):
    keep.store(f"{sys.argv[3]}{number}", {"type": "local"}, {})
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(keep.state), str(file), name], cwd=CHECKOUT)
        for name in "ab"
    ]

    codes = [process.wait(timeout=60) for process in processes]

    assert codes == [0, 0]
    assert len(keep.fields()) == 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [name for name in os.listdir(file.parent) if "partial" in name] == []
