"""Claims about login, tokens and who may do what (acd-api §2 and §3)."""

import html
import re
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.emulator.conftest import Drive, Json, Launch

REDIRECT = "http://127.0.0.1:53682/"
ASK = {
    "client_id": "my-client",
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "clouddrive:read_all clouddrive:write",
    "state": "st & ate",
    "access_type": "offline",
}


def press_allow(drive: Drive, **changed: str) -> httpx.Response:
    """Open the consent page and press its button."""
    page = drive.get("ap/oa", **(ASK | changed))
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    return drive.http.post("ap/oa", data={name: html.unescape(value) for name, value in fields.items()})


def code_of(answer: httpx.Response) -> dict[str, str]:
    """Read the query of the URL that the browser is sent to."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(REDIRECT + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def exchange(drive: Drive, **form: str) -> httpx.Response:
    """Ask for tokens with the credentials in the form."""
    return drive.http.post("auth/o2/token", data={"client_id": "my-client", "client_secret": "s"} | form)


def test_the_page_has_one_button_that_leads_back_with_a_code(drive: Drive) -> None:
    page = drive.get("ap/oa", **(ASK | {"client_id": "<script>"})).text

    back = code_of(press_allow(drive))

    assert page.count("<button") == 1
    assert "<script>" not in page
    assert back["state"] == "st & ate"
    assert back["scope"] == ASK["scope"]
    assert back["code"]


def test_nobody_else_can_press_the_button(drive: Drive) -> None:
    answer = drive.http.post("ap/oa", data=ASK)

    assert answer.status_code == 400


def test_consent_can_be_automatic(launch: Launch) -> None:
    drive = launch("--consent", "auto")

    back = code_of(drive.get("ap/oa", **ASK))

    assert back["code"]


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://a/\r\nX: y"},
        {"redirect_uri": ""},
        {"response_type": "magic"},
        {"client_id": ""},
    ],
)
def test_a_request_for_consent_that_makes_no_sense_is_refused(drive: Drive, changed: dict[str, str]) -> None:
    answer = drive.get("ap/oa", **(ASK | changed))

    assert answer.status_code == 400


def test_a_code_is_good_once_and_for_its_redirect_uri(drive: Drive) -> None:
    code = code_of(press_allow(drive))["code"]
    form = {"grant_type": "authorization_code", "code": code}

    answers = [
        exchange(drive, **form, redirect_uri="http://localhost/"),
        exchange(drive, **form, redirect_uri=REDIRECT),
        exchange(drive, **form, redirect_uri=REDIRECT),
    ]

    assert [answer.status_code for answer in answers] == [400, 200, 400]
    made = answers[1].json()
    assert made["access_token"].startswith("Atza|")
    assert made["refresh_token"].startswith("Atzr|")
    assert 350 <= len(made["access_token"]) <= 2048
    assert (made["token_type"], made["expires_in"]) == ("bearer", 3600)
    assert answers[2].json()["error"] == "invalid_grant"


def test_credentials_may_come_as_basic(drive: Drive) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": drive.ready["token"]["refresh_token"]}

    basic = drive.http.post("auth/o2/token", data=form, auth=("my-client", "secret"))
    neither = drive.http.post("auth/o2/token", data=form, headers={"Authorization": ""})

    assert basic.status_code == 200
    assert basic.json()["refresh_token"] == form["refresh_token"]
    assert (neither.status_code, neither.json()["error"]) == (401, "invalid_client")


def test_a_dead_refresh_token_is_an_invalid_grant(drive: Drive) -> None:
    answer = exchange(drive, grant_type="refresh_token", refresh_token="Atzr|dead")

    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_grant",
        "error_description": "The request has an invalid grant parameter : refresh_token",
    }


def test_an_expired_token_is_refused_until_refreshed(launch: Launch) -> None:
    drive = launch("--token-life", "1")
    time.sleep(1.1)

    expired = drive.get(f"drive/v1/nodes/{drive.root}")
    fresh = exchange(
        drive, grant_type="refresh_token", refresh_token=drive.ready["token"]["refresh_token"]
    ).json()
    drive.http.headers["Authorization"] = f"Bearer {fresh['access_token']}"

    assert expired.status_code == 401
    assert expired.json() == {"message": "Token has expired"}
    assert drive.get(f"drive/v1/nodes/{drive.root}").status_code == 200


def test_tokens_outlive_the_server(launch: Launch) -> None:
    first = launch()
    first.kill()
    second = launch()

    second.http.headers["Authorization"] = f"Bearer {first.token}"

    assert second.get("drive/v1/account/endpoint").status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer Atza|\u00ff"])
def test_a_stranger_is_refused_everywhere(drive: Drive, header: str) -> None:
    headers = httpx.Headers({"Authorization": header}, encoding="latin-1")

    answers = [
        drive.http.get("drive/v1/account/endpoint", headers=headers),
        drive.http.post("cdproxy/nodes", headers=headers, content=b"x" * 100_000),
        drive.http.post("drive/v1/changes", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [401] * 3


def test_a_refresh_token_is_no_access_token(drive: Drive) -> None:
    headers = {"Authorization": f"Bearer {drive.ready['token']['refresh_token']}"}

    answer = drive.http.get("drive/v1/account/info", headers=headers)

    assert answer.status_code == 401


def test_a_reader_may_not_write(drive: Drive) -> None:
    code = code_of(press_allow(drive, scope="clouddrive:read_all"))["code"]
    made = exchange(drive, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    headers = {"Authorization": f"Bearer {made['access_token']}"}

    reading = drive.http.get(f"drive/v1/nodes/{drive.root}", headers=headers)
    writing = drive.http.put(f"drive/v1/trash/{drive.root}", headers=headers)

    assert (reading.status_code, writing.status_code) == (200, 403)


def test_the_implicit_grant_answers_in_the_fragment(drive: Drive) -> None:
    location = press_allow(drive, response_type="token").headers["Location"]

    fragment = parse_qs(location.partition("#")[2])

    assert fragment["access_token"][0].startswith("Atza|")
    assert "refresh_token" not in fragment
    assert fragment["state"] == ["st & ate"]


def test_token_and_owner_can_be_asked_for(drive: Drive) -> None:
    info = drive.get("auth/o2/tokeninfo", access_token=drive.token).json()
    profile = drive.get("user/profile").json()
    bad = drive.get("auth/o2/tokeninfo", access_token="x")

    assert 0 < info["exp"] <= 3600
    assert info["user_id"] == profile["user_id"]
    assert bad.status_code == 400


def test_the_ready_line_carries_a_token_as_rclone_stores_it(drive: Drive) -> None:
    token: Json = drive.ready["token"]

    assert set(token) == {"access_token", "token_type", "refresh_token", "expiry"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", token["expiry"])
