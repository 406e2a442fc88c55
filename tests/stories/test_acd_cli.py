"""acd_cli 0.3.2, unmodified, completes every ordinary command through the intercept (acd-api §13.2)."""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.stories.served import Json, Served, served

PROGRAM = os.environ.get("ACD_CLI") or shutil.which("acd_cli")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="acd_cli is not on the PATH; ci/peers installs it")
ODD_NAMES = [
    "日本語",
    "e\u0301",
    "emoji 😀",
    "a & b % c",
    "quo\"te 'n",
    "back\\slash",
    "p+l+u+s",
    " lead",
    "#1;2,3=4@$",
]


@dataclass(frozen=True)
class AcdCli:
    """acd_cli with a cache of its own, and a folder on the drive for one test."""

    drive: Served
    home: Path
    folder: str = field(default_factory=lambda: f"/{secrets.token_hex(6)}")

    @property
    def environment(self) -> dict[str, str]:
        """What acd_cli sees: what the emulator's command said, and a home."""
        mine = {"ACD_CLI_CACHE_PATH": str(self.home), "ACD_CLI_SETTINGS_PATH": str(self.home)}
        # Python's webbrowser opens what BROWSER names; a test is its own browser.
        return self.drive.environment | mine | {"HOME": str(self.home), "BROWSER": "true"}

    def configure(self) -> None:
        """Give it a client id and a token, as after a login, and a folder to work in."""
        (self.home / "client_data").write_text(json.dumps({"CLIENT_ID": "me", "CLIENT_SECRET": "secret"}))
        (self.home / "oauth_data").write_text(json.dumps(self.drive.new_token() | {"expires_in": 3600}))
        self("sync")
        self("mkdir", self.folder)

    def write(self, name: str, content: bytes) -> str:
        """Put a file on this side; return its path."""
        path = self.home / "local" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def put(self, name: str, content: bytes) -> str:
        """Upload a file to the folder; return its path on the drive."""
        self("upload", self.write(name, content), self.folder)
        return f"{self.folder}/{name}"

    def run(self, *args: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a command, however it ends."""
        assert PROGRAM is not None
        # Into a file: `cat` asks where in its output it stands.
        with tempfile.TemporaryFile() as out:
            ended = subprocess.run(
                [PROGRAM, *args],
                env=self.environment,
                input=stdin,
                stdout=out,
                stderr=subprocess.PIPE,
                timeout=120,
                check=False,
            )
            out.seek(0)
            return subprocess.CompletedProcess(args, ended.returncode, out.read(), ended.stderr)

    def raw(self, *args: str, stdin: bytes = b"") -> bytes:
        """Run a command that must succeed; return the bytes it printed."""
        ended = self.run(*args, stdin=stdin)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout

    def __call__(self, *args: str, stdin: bytes = b"") -> str:
        """Run a command that must succeed; return the text it printed."""
        return self.raw(*args, stdin=stdin).decode()

    def metadata(self, path: str) -> Json:
        """The node at a path."""
        node: Json = json.loads(self("metadata", path))
        return node

    def names(self, path: str) -> list[str]:
        """The names in a folder, sorted; folders end in a slash."""
        found = re.findall(r"^\[[\w-]{22}\] \[A\] (.+)$", self("ls", path), re.MULTILINE)
        return sorted(found)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One emulator for the tests of this file."""
    with served(tmp_path_factory.mktemp("drive"), "--consent", "auto") as running:
        yield running


@pytest.fixture
def acd(drive: Served, tmp_path: Path) -> AcdCli:
    """An acd_cli that is logged in and has synced."""
    made = AcdCli(drive, tmp_path)
    made.configure()
    return made


def test_a_login_by_the_browser_leaves_a_token(drive: Served, tmp_path: Path) -> None:
    acd = AcdCli(drive, tmp_path)
    (tmp_path / "client_data").write_text(json.dumps({"CLIENT_ID": "me", "CLIENT_SECRET": "secret"}))
    asked = re.search(rb"https://amazon\.com/ap/oa\S+", acd.run("init").stdout)
    assert asked is not None
    with drive.browser() as browser:
        sent_back = browser.get(asked[0].decode()).headers["Location"]

    acd.run("init", stdin=sent_back.encode() + b"\n")

    assert json.loads((tmp_path / "oauth_data").read_text())["access_token"].startswith("Atza|")
    assert "Getting changes" in acd.run("sync").stderr.decode() + acd("sync")


def test_an_expired_token_is_refreshed(acd: AcdCli) -> None:
    token = json.loads((acd.home / "oauth_data").read_text())
    (acd.home / "oauth_data").write_text(json.dumps(token | {"access_token": "Atza|old", "exp_time": 1.0}))

    acd("quota")

    assert json.loads((acd.home / "oauth_data").read_text())["access_token"] != "Atza|old"


def test_a_tree_goes_up_and_comes_down_unchanged(acd: AcdCli) -> None:
    for name in ODD_NAMES:
        acd.write(f"tree/{name}/{name}.txt", name.encode())
    acd.write("tree/empty", b"")
    acd.write("tree/big.bin", os.urandom(3 << 20))
    acd("upload", "-x", "4", str(acd.home / "local" / "tree"), acd.folder)

    acd("download", "-x", "4", f"{acd.folder}/tree", str(acd.home / "back"))

    assert _contents(acd.home / "back" / "tree") == _contents(acd.home / "local" / "tree")


def test_sync_learns_what_others_did(acd: AcdCli) -> None:
    parent = acd.metadata(acd.folder)["id"]
    made = acd.drive.http.post(
        "drive/v1/nodes", json={"name": "theirs", "kind": "FOLDER", "parents": [parent]}
    )

    acd("sync")

    assert acd("resolve", f"{acd.folder}/theirs").split("'")[1] == made.json()["id"]
    assert "theirs/" in acd("tree", acd.folder)


def test_the_old_sync_by_lists_comes_to_the_same_tree(acd: AcdCli) -> None:
    acd.put("a.txt", b"a")
    acd("mkdir", f"{acd.folder}/sub")
    before = acd("tree", acd.folder)
    acd("clear-cache")

    acd("old-sync")

    assert acd("tree", acd.folder) == before


def test_more_than_two_pages_are_synced_whole(acd: AcdCli) -> None:
    parent = acd.metadata(acd.folder)["id"]
    for number in range(430):
        body = {"name": f"{number}", "kind": "FOLDER", "parents": [parent]}
        acd.drive.http.post("drive/v1/nodes", json=body).raise_for_status()
    acd("clear-cache")

    acd("old-sync")

    assert len(acd.names(acd.folder)) == 430


def test_ls_and_tree_show_what_is_there(acd: AcdCli) -> None:
    acd.put("a.txt", b"12345")
    acd("mkdir", f"{acd.folder}/sub")

    long, tree = acd("ls", "-l", acd.folder), acd("tree", acd.folder)

    assert acd.names(acd.folder) == ["a.txt", "sub/"]
    assert re.search(r"\[A\] +5B .* a\.txt", long)
    assert [line.strip() for line in tree.splitlines()][1:] == ["sub/", "a.txt"]


def test_find_knows_names_and_md5s(acd: AcdCli) -> None:
    content = secrets.token_bytes(20)
    path = acd.put("needle.txt", content)

    by_name, by_md5 = acd("find", "NEEDLE"), acd("find-md5", hashlib.md5(content).hexdigest())

    assert path in by_name
    assert path in by_md5


def test_an_overwrite_keeps_the_node_and_counts_its_version(acd: AcdCli) -> None:
    path = acd.put("a.txt", b"old")
    before = acd.metadata(path)

    acd("overwrite", path, acd.write("b.txt", b"newer"))

    after = acd.metadata(path)
    assert (acd("cat", path), after["id"]) == ("newer", before["id"])
    assert after["contentProperties"]["version"] == before["contentProperties"]["version"] + 1
    assert after["version"] > before["version"]


def test_upload_can_overwrite_too(acd: AcdCli) -> None:
    path = acd.put("a.txt", b"old")
    acd.write("a.txt", b"forced")

    acd("upload", "--force", str(acd.home / "local" / "a.txt"), acd.folder)

    assert acd("cat", path) == "forced"


def test_a_stream_of_unknown_length_arrives_whole(acd: AcdCli) -> None:
    content = os.urandom(300_000)

    acd("stream", "s.bin", acd.folder, stdin=content)

    assert acd.raw("cat", f"{acd.folder}/s.bin") == content


def test_equal_content_is_not_uploaded_twice_when_asked(acd: AcdCli) -> None:
    content = secrets.token_bytes(50)
    acd.put("a.bin", content)

    acd.run("upload", "--deduplicate", acd.write("b.bin", content), acd.folder)

    acd("sync")
    assert acd.names(acd.folder) == ["a.bin"]


def test_the_service_itself_refuses_equal_content(acd: AcdCli) -> None:
    content = secrets.token_bytes(50)
    parent, other = acd.metadata(acd.folder)["id"], acd.write("b.bin", content)
    metadata = json.dumps({"name": "theirs", "kind": "FILE", "parents": [parent]})
    files = {"metadata": (None, metadata.encode()), "content": ("x", content)}
    acd.drive.http.post("cdproxy/nodes?suppress=deduplication", files=files).raise_for_status()

    ended = acd.run("upload", "--deduplicate", other, acd.folder)  # its cache does not know the other one yet

    acd("sync")
    assert ended.returncode != 0
    assert acd.names(acd.folder) == ["theirs"]


def test_folders_are_made_with_their_parents(acd: AcdCli) -> None:
    acd("mkdir", "--parents", f"{acd.folder}/one/two/three")

    made = acd.metadata(f"{acd.folder}/one/two/three")

    assert (made["kind"], made["name"]) == ("FOLDER", "three")


def test_move_and_rename_keep_the_node(acd: AcdCli) -> None:
    path = acd.put("a.txt", b"a")
    before = acd.metadata(path)["id"]
    acd("mkdir", f"{acd.folder}/sub")

    acd("move", path, f"{acd.folder}/sub")
    acd("rename", f"{acd.folder}/sub/a.txt", "b c.txt")

    assert acd.metadata(f"{acd.folder}/sub/b c.txt")["id"] == before
    acd("sync")
    assert (acd.names(f"{acd.folder}/sub"), acd.names(acd.folder)) == (["b c.txt"], ["sub/"])


def test_a_node_can_be_in_two_folders(acd: AcdCli) -> None:
    path = acd.put("a.txt", b"a")
    acd("mkdir", f"{acd.folder}/sub")

    acd("add-child", f"{acd.folder}/sub", path)
    both = acd.metadata(path)["parents"]
    acd("remove-child", f"{acd.folder}/sub", path)

    assert len(both) == 2
    assert len(acd.metadata(path)["parents"]) == 1


def test_trash_and_restore_lead_back(acd: AcdCli) -> None:
    path = acd.put("a.txt", b"a")
    node = acd.metadata(path)["id"]

    acd("trash", path)
    acd("sync")
    trashed, left = acd("ls", "--include-trash", acd.folder), acd.names(acd.folder)
    acd("restore", "--", node)

    assert f"[{node}] [T] a.txt" in trashed
    assert left == []
    assert acd.names(acd.folder) == ["a.txt"]


def test_the_trash_is_listed(acd: AcdCli) -> None:
    acd("trash", acd.folder)
    acd("sync")

    listed = acd("list-trash")  # of the top folder only, without --recursive

    assert f"[T] {acd.folder[1:]}/" in listed


def test_quota_and_usage_are_shown(acd: AcdCli) -> None:
    acd.put("a.txt", b"a")

    quota, usage = json.loads(acd("quota")), acd("usage")

    assert 0 < quota["available"] < quota["quota"]
    assert re.search(r"Documents: +\d+,", usage)
    assert re.search(r"Total: +\d+,", usage)


def test_a_path_is_resolved_to_an_id(acd: AcdCli) -> None:
    path = acd.put("a.txt", b"a")

    said = acd("resolve", path)

    assert acd.metadata(path)["id"] in said


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
