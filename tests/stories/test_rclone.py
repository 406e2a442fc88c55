"""Debian's rclone, unmodified, completes every ordinary command through the intercept (acd-api §13.1)."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock

from tests.stories.rclone import PROGRAM, Rclone, why_not
from tests.stories.served import Served, served

ODD_NAMES = [
    *("日本語", "e\u0301", "emoji 😀", "a & b % c", "quo\"te 'n", "star * ? : <|>", "back\\slash", "p+l+u+s"),
    *(" lead", "trail ", "(p) [b] {c} ^~!||&&", "-dash", "dot.", "a.b.c", "AND OR TO", "%41", "#1;2,3=4@$"),
]


WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One emulator for the tests of this file."""
    with served(tmp_path_factory.mktemp("drive"), "--consent", "auto") as running:
        yield running


@pytest.fixture
def rclone(drive: Served, tmp_path: Path) -> Rclone:
    """An rclone that was set up by what the emulator's command prints."""
    made = Rclone(drive, tmp_path)
    made.configure()
    return made


def test_a_tree_with_odd_names_is_copied_and_checked(rclone: Rclone) -> None:
    rclone.write(
        {f"{name}/{name}.txt": name for name in ODD_NAMES} | {"empty": "", "deep/er/and/deeper": "x"}
    )

    rclone("copy", str(rclone.source), rclone.remote)

    rclone("check", str(rclone.source), rclone.remote)
    rclone("check", "--download", str(rclone.source), rclone.remote)
    assert len(rclone.paths()) == len(ODD_NAMES) + 2


def test_lists_agree_with_what_was_copied(rclone: Rclone) -> None:
    rclone.write({"a.txt": "hello", "sub/b.txt": "hi"})
    rclone("copy", str(rclone.source), rclone.remote)

    lists = {name: rclone(name, rclone.remote) for name in ("ls", "lsd", "lsl", "md5sum", "size")}

    assert sorted(lists["ls"].split()) == ["2", "5", "a.txt", "sub/b.txt"]
    assert [line.split()[-1] for line in lists["lsd"].splitlines()] == ["sub"]
    assert re.search(r"^ +5 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ a\.txt$", lists["lsl"], re.MULTILINE)
    assert f"{hashlib.md5(b'hello').hexdigest()}  a.txt" in lists["md5sum"].splitlines()
    assert "Total size: 7 B" in lists["size"]


@pytest.mark.slow
def test_a_folder_of_more_than_two_pages_is_listed_whole(rclone: Rclone) -> None:
    rclone.write({f"{number}.txt": "x" for number in range(450)})

    rclone("copy", "--transfers", "16", str(rclone.source), rclone.remote)

    assert rclone.paths() == sorted(f"{number}.txt" for number in range(450))


def test_a_changed_file_gets_new_content_and_keeps_its_id(rclone: Rclone) -> None:
    rclone.write({"a.txt": "old"})
    rclone("copy", str(rclone.source), rclone.remote)
    before = rclone.id("a.txt")
    rclone.write({"a.txt": "newer"})

    rclone("copy", str(rclone.source), rclone.remote)

    assert rclone("cat", f"{rclone.remote}/a.txt") == "newer"
    assert rclone.id("a.txt") == before


def test_a_second_copy_sends_nothing(rclone: Rclone) -> None:
    rclone.write({"a.txt": "same", "b/c.txt": "same too"})
    rclone("copy", str(rclone.source), rclone.remote)
    before = rclone.drive.counts()["POST /cdproxy/nodes"]

    rclone("copy", str(rclone.source), rclone.remote)

    assert rclone.drive.counts()["POST /cdproxy/nodes"] == before


def test_sync_trashes_what_the_source_no_longer_has(rclone: Rclone) -> None:
    rclone.write({"keep.txt": "k", "gone.txt": "g", "sub/gone too.txt": "g"})
    rclone("sync", str(rclone.source), rclone.remote)
    doomed = rclone.id("gone.txt")
    (rclone.source / "gone.txt").unlink()
    shutil.rmtree(rclone.source / "sub")

    rclone("sync", str(rclone.source), rclone.remote)

    assert rclone("lsf", "-R", rclone.remote).splitlines() == ["keep.txt"]
    assert rclone.drive.http.get(f"drive/v1/nodes/{doomed}").json()["status"] == "TRASH"


def test_a_file_of_many_mebibytes_goes_there_and_back(rclone: Rclone) -> None:
    content = os.urandom(20 << 20)
    rclone.write({"big.bin": content})
    rclone("copy", str(rclone.source), rclone.remote)

    rclone("copy", rclone.remote, str(rclone.home / "back"))

    assert (rclone.home / "back" / "big.bin").read_bytes() == content


def test_a_big_file_comes_by_its_temporary_link(rclone: Rclone) -> None:
    rclone.write({"big.bin": b"0123456789" * 1000})
    rclone("copy", str(rclone.source), rclone.remote)

    back = rclone.raw("--acd-templink-threshold", "1k", "cat", f"{rclone.remote}/big.bin")

    assert back == b"0123456789" * 1000
    assert rclone.drive.counts()["GET /templink/{id}/{until}/{mark}"] >= 1


def test_cat_gives_a_file_or_a_part_of_it(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/a.txt", stdin=b"0123456789")

    whole = rclone("cat", f"{rclone.remote}/a.txt")
    middle = rclone("cat", "--offset", "3", "--count", "4", f"{rclone.remote}/a.txt")
    tail = rclone("cat", "--tail", "2", f"{rclone.remote}/a.txt")

    assert (whole, middle, tail) == ("0123456789", "3456", "89")


def test_a_file_is_renamed_in_its_folder(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/a.txt", stdin=b"x")
    before = rclone.id("a.txt")

    rclone("moveto", f"{rclone.remote}/a.txt", f"{rclone.remote}/b c.txt")

    assert rclone.paths() == ["b c.txt"]
    assert rclone.id("b c.txt") == before


def test_a_file_moves_to_another_folder_under_another_name(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/one/a.txt", stdin=b"x")
    before = rclone.id("one/a.txt")

    rclone("moveto", f"{rclone.remote}/one/a.txt", f"{rclone.remote}/two/b.txt")

    assert rclone.paths() == ["two/b.txt"]
    assert rclone.id("two/b.txt") == before


def test_a_file_moved_onto_another_sends_that_one_to_the_trash(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/a.txt", stdin=b"mover")
    rclone("rcat", f"{rclone.remote}/sub/b.txt", stdin=b"target")
    target = rclone.id("sub/b.txt")

    rclone("moveto", f"{rclone.remote}/a.txt", f"{rclone.remote}/sub/b.txt")

    assert rclone.paths() == ["sub/b.txt"]
    assert rclone("cat", f"{rclone.remote}/sub/b.txt") == "mover"
    assert rclone.drive.http.get(f"drive/v1/nodes/{target}").json()["status"] == "TRASH"


def test_a_move_past_a_namesake_goes_by_way_of_the_trash(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/one/a.txt", stdin=b"mover")
    rclone("rcat", f"{rclone.remote}/one/b.txt", stdin=b"in the way of the rename")
    rclone("mkdir", f"{rclone.remote}/two")
    before = rclone.id("one/a.txt")

    rclone("moveto", f"{rclone.remote}/one/a.txt", f"{rclone.remote}/two/b.txt")

    assert rclone.paths() == ["one/b.txt", "two/b.txt"]
    assert rclone.id("two/b.txt") == before


def test_a_rename_may_change_the_case_only(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/notes.txt", stdin=b"x")

    rclone("moveto", f"{rclone.remote}/notes.txt", f"{rclone.remote}/NOTES.txt")

    assert rclone.paths() == ["NOTES.txt"]


def test_a_name_in_another_case_is_refused_and_nothing_is_lost(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/notes.txt", stdin=b"first")
    rclone.write({"Notes.txt": "second"})

    said = rclone.fails("copyto", str(rclone.source / "Notes.txt"), f"{rclone.remote}/Notes.txt")

    assert "already exists" in said
    assert rclone("cat", f"{rclone.remote}/notes.txt") == "first"


def test_a_directory_moves_with_all_that_is_in_it(rclone: Rclone) -> None:
    rclone.write({"old/a.txt": "a", "old/sub/b.txt": "b"})
    rclone("copy", str(rclone.source), rclone.remote)
    before = rclone.id("old/sub/b.txt")

    rclone("move", f"{rclone.remote}/old", f"{rclone.remote}/elsewhere/new")

    assert rclone.paths() == ["elsewhere/new/a.txt", "elsewhere/new/sub/b.txt"]
    assert rclone.id("elsewhere/new/sub/b.txt") == before


def test_folders_are_made_and_removed(rclone: Rclone) -> None:
    rclone("mkdir", f"{rclone.remote}/a/b/c")
    rclone("rcat", f"{rclone.remote}/full/x", stdin=b"x")

    rclone("rmdir", f"{rclone.remote}/a/b/c")
    refusal = rclone.fails("rmdir", f"{rclone.remote}/full")

    assert sorted(rclone("lsf", "-R", rclone.remote).splitlines()) == ["a/", "a/b/", "full/", "full/x"]
    assert "not empty" in refusal


def test_delete_takes_files_and_leaves_folders(rclone: Rclone) -> None:
    rclone.write({"a.txt": "a", "sub/b.txt": "b", "sub/c.log": "c"})
    rclone("copy", str(rclone.source), rclone.remote)

    rclone("delete", "--include", "*.txt", rclone.remote)

    assert sorted(rclone("lsf", "-R", rclone.remote).splitlines()) == ["sub/", "sub/c.log"]


def test_purge_takes_a_folder_at_once(rclone: Rclone) -> None:
    rclone.write({"a.txt": "a", "sub/b.txt": "b"})
    rclone("copy", str(rclone.source), rclone.remote)
    before = rclone.drive.counts().get("PUT /drive/v1/trash/{id}", 0)

    rclone("purge", rclone.remote)

    assert f"{rclone.remote.removeprefix('acd:')}/" not in rclone("lsf", "acd:").splitlines()
    assert rclone.drive.counts()["PUT /drive/v1/trash/{id}"] == before + 1


def test_a_served_listing_learns_of_new_files_by_the_change_feed(rclone: Rclone) -> None:
    rclone("rcat", f"{rclone.remote}/old.txt", stdin=b"x")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert PROGRAM is not None
    options = ["--addr", f"127.0.0.1:{port}", "--dir-cache-time", "1h", "--poll-interval", "500ms"]
    command = [PROGRAM, "serve", "http", rclone.remote, *options]
    with subprocess.Popen(command, env=rclone.environment, stderr=subprocess.DEVNULL) as process:
        try:
            page = _until(lambda: _page(port), "old.txt")
            rclone("rcat", f"{rclone.remote}/new.txt", stdin=b"y")

            page = _until(lambda: _page(port), "new.txt")
        finally:
            process.terminate()

    assert "old.txt" in page
    assert rclone.drive.counts()["POST /drive/v1/changes"] >= 1


def test_busy_answers_are_waited_out(rclone: Rclone) -> None:
    rclone.write({"a.txt": "a"})
    rclone.drive.fault(match={"method": "POST", "path": "/cdproxy/nodes"}, do="status", status=429, times=2)

    rclone("copy", str(rclone.source), rclone.remote)

    rclone("check", str(rclone.source), rclone.remote)


def test_an_upload_whose_answer_was_lost_is_found_again(rclone: Rclone) -> None:
    rclone.write({"a.txt": "a"})
    lost = {"do": "status", "status": 504, "after_effect": True, "times": 1}
    rclone.drive.fault(match={"method": "POST", "path": "/cdproxy/nodes"}, **lost)

    rclone("copy", str(rclone.source), rclone.remote)

    rclone("check", str(rclone.source), rclone.remote)
    assert rclone.paths() == ["a.txt"]


def test_an_expired_token_is_refreshed_through_the_proxy(rclone: Rclone) -> None:
    token = rclone.drive.ready["token"] | {"access_token": "Atza|old", "expiry": "2020-01-01T00:00:00Z"}
    rclone.configure(token)
    before = rclone.drive.counts().get("POST /auth/o2/token", 0)

    rclone("mkdir", rclone.remote)

    assert rclone.drive.counts()["POST /auth/o2/token"] == before + 1
    assert "Atza|old" not in (rclone.home / "rclone.conf").read_text()


def test_a_token_made_by_the_command_serves_as_the_configuration(rclone: Rclone, drive: Served) -> None:
    made = drive.new_token()

    rclone.configure(made)

    assert rclone("lsd", "acd:") is not None


def test_consent_gives_rclone_its_token_at_once(drive: Served, tmp_path: Path) -> None:
    rclone = Rclone(drive, tmp_path)

    with _login(rclone) as address, drive.browser() as browser:
        assert _code_given(browser, browser.build_request("GET", address))

    assert rclone("lsd", "acd:") is not None


def test_consent_by_the_page_takes_one_press_of_its_button(tmp_path: Path) -> None:
    with served(tmp_path / "drive") as drive:
        rclone = Rclone(drive, tmp_path)

        with _login(rclone) as address, drive.browser() as browser:
            page = browser.get(address, follow_redirects=True)
            fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
            assert _code_given(browser, browser.build_request("POST", page.url.join("/ap/oa"), data=fields))

        assert page.text.count("<button") == 1
        assert rclone("lsd", "acd:") == ""


def test_a_configuration_outlives_the_emulator(tmp_path: Path) -> None:
    with served(tmp_path / "drive") as drive:
        first = Rclone(drive, tmp_path)
        first.configure()
        first("rcat", f"{first.remote}/a.txt", stdin=b"x")
        token = drive.ready["token"]

    with served(tmp_path / "drive") as drive:
        second = Rclone(drive, tmp_path, first.remote)
        second.configure(token)
        assert second.paths() == ["a.txt"]


@contextmanager
def _login(rclone: Rclone) -> Iterator[str]:
    """Let rclone set up a remote with nothing given; yield the address it wants opened; wait for its end."""
    assert PROGRAM is not None
    command = [
        PROGRAM,
        "config",
        "create",
        "acd",
        "amazon cloud drive",
        "client_id",
        "me",
        "client_secret",
        "x",
    ]
    # rclone looks for a program that opens browsers, and listens on the same port every time.
    environment = rclone.environment | {"PATH": "/nowhere"}
    with (
        FileLock(Path(tempfile.gettempdir()) / "rclone-port-53682.lock", timeout=60),
        subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process,
    ):
        assert process.stderr is not None
        impatience = threading.Timer(60, process.kill)
        impatience.start()
        try:
            said = (re.search(r"http://127\.0\.0\.1:\d+/auth\S+", line) for line in process.stderr)
            yield next(found[0] for found in said if found)
            process.stderr.read()
            assert process.wait() == 0
        finally:
            process.kill()
            impatience.cancel()


def _code_given(browser: httpx.Client, request: httpx.Request | None) -> bool:
    """Follow where the request leads: was rclone given a code?

    rclone closes its server once it has the code, at times before it has answered.
    """
    while request is not None:
        given = "code" in request.url.params
        try:
            answer = browser.send(request)
        except httpx.RemoteProtocolError:
            assert given
            return True
        assert not answer.is_error
        request = answer.next_request
    return given


def _page(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).text
    except httpx.TransportError:
        return ""  # not listening yet


def _until(read: Any, wanted: str) -> str:
    end = time.monotonic() + 30
    while wanted not in (text := str(read())):
        assert time.monotonic() < end, text
        time.sleep(0.1)
    return text
