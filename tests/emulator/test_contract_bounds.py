"""Claims that no input is too odd to be answered: at once, with a 400, and with nothing left behind."""

import time

import pytest

from tests.emulator.conftest import BOUNDARY, Drive

GARBAGE = ["x", "=", "%", "AAAA", "\u00e9", "x" * 5000, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "-_" * 50]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(" * 5000 + "kind:FILE" + ")" * 5000,
        "name:" + "(" * 10_000,
        'name:"' + "\\" * 9_999,
        "kind:FILE AND " * 700,
        "name:" + "a" * 9000 + "*" * 900,
        "createdDate:[" * 700,
    ],
    ids=["open", "nested", "value", "escapes", "terms", "stars", "ranges"],
)
def test_ten_kilobytes_of_nonsense_are_refused_at_once(drive: Drive, text: str) -> None:
    began = time.monotonic()

    answer = drive.get("drive/v1/nodes", filters=text)

    assert answer.status_code == 400
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("token", GARBAGE)
def test_a_garbage_paging_token_is_refused(drive: Drive, token: str) -> None:
    answer = drive.get("drive/v1/nodes", startToken=token)

    assert (answer.status_code, answer.json()["message"]) == (400, "Next token is expired")


@pytest.mark.parametrize("token", GARBAGE)
def test_a_garbage_checkpoint_starts_again(drive: Drive, token: str) -> None:
    answer = drive.send("POST", "drive/v1/changes", {"checkpoint": token})

    assert answer.status_code == 200
    assert '"reset":true' in answer.text.partition("\n")[0]


@pytest.mark.parametrize("token", [*GARBAGE[:3], "Atza|", "Atza|" + "x" * 2000])
def test_a_garbage_access_token_is_refused(drive: Drive, token: str) -> None:
    header = {b"Authorization": f"Bearer {token}".encode()}

    answer = drive.http.get("drive/v1/account/info", headers=header)

    assert (answer.status_code, answer.json()) == (401, {"message": "Token has expired"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--",
        b"\r\n" * 50_000,
        b"--%s\r\n" % BOUNDARY.encode() * 10_000,
        b"--%s\r\n" % BOUNDARY.encode() + b"A: b\r\n" * 5000 + b"\r\n",
        b"--%s\r\nA: %s\r\n\r\n" % (BOUNDARY.encode(), b"x" * 100_000),
        b"--%s--\r\n" % BOUNDARY.encode(),
        b'--%s\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n%s\r\n'
        % (BOUNDARY.encode(), b"[" * 100_000),
    ],
    ids=["empty", "dashes", "lines", "boundaries", "headers", "header", "end", "brackets"],
)
def test_a_hostile_form_is_refused_at_once_and_leaves_nothing(drive: Drive, body: bytes) -> None:
    before = drive.contents()
    began = time.monotonic()

    answer = drive.post_form(body)

    assert answer.status_code == 400
    assert time.monotonic() - began < 2
    assert (drive.uploads_left(), drive.contents()) == ([], before)
