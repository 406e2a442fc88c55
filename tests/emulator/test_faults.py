"""Claims about faults on request and about counting (acd-api §11 and §12)."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx
import pytest

from runner.emulator.options import parser
from tests.emulator.conftest import Drive, Json, Launch


@pytest.fixture(autouse=True)
def _calm_after(drive: Drive) -> Iterator[None]:
    yield
    drive.send("DELETE", "admin/faults")


def test_a_status_is_answered_so_many_times(drive: Drive, folder: str) -> None:
    drive.fault(
        match={"method": "POST", "path": "/cdproxy/nodes"}, do="status", status=429, retry_after=2, times=2
    )

    answers = [drive.upload(f"{i}", b"x", folder) for i in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert answers[0].headers["Retry-After"] == "2"
    assert answers[0].json() == {"message": "Rate exceeded"}
    assert drive.names(folder) == ["2"]


def test_a_status_may_lie_about_an_effect(drive: Drive, folder: str) -> None:
    drive.fault(match={"path": "/cdproxy/nodes"}, do="status", status=504, after_effect=True, times=1)

    answer = drive.upload("x", b"x", folder)

    assert (answer.status_code, answer.content) == (504, b"")
    assert drive.names(folder) == ["x"]


@pytest.mark.parametrize(("after_effect", "names"), [(False, []), (True, ["x"])])
def test_a_cut_ends_the_connection_before_or_after_the_effect(
    drive: Drive, folder: str, after_effect: bool, names: list[str]
) -> None:
    drive.fault(match={"method": "POST"}, do="cut", fraction=0.5, after_effect=after_effect, times=1)

    with pytest.raises(httpx.TransportError):
        drive.upload("x", b"x" * 1_000_000, folder)

    assert drive.names(folder) == names
    assert drive.uploads_left() == []


def test_a_cut_download_gives_its_fraction(drive: Drive, folder: str) -> None:
    node = drive.put("x", b"x" * 1000, folder)
    drive.fault(match={"method": "GET", "path": "/cdproxy/nodes/*/content"}, do="cut", fraction=0.3, times=1)

    got = b""
    with (
        pytest.raises(httpx.RemoteProtocolError),
        drive.http.stream("GET", f"cdproxy/nodes/{node}/content") as answer,
    ):
        for piece in answer.iter_raw():
            got += piece

    assert got == b"x" * 300


def test_late_effects_are_true_before_they_are_listed(drive: Drive, folder: str) -> None:
    old, gone = drive.put("old", b"x", folder), drive.put("gone", b"x", folder)
    drive.fault(do="late", seconds=0.6, match={})

    new = drive.put("new", b"x", folder)
    drive.send("PATCH", f"drive/v1/nodes/{old}", {"name": "renamed"})
    drive.send("PUT", f"drive/v1/trash/{gone}")
    drive.send("DELETE", "admin/faults")
    listed_at_once = drive.names(folder)
    looked_up = drive.get("drive/v1/nodes", filters=f'parents:"{folder}" AND name:"new"').json()["count"]
    again = drive.upload("NEW", b"x", folder)
    time.sleep(0.7)

    assert listed_at_once == ["gone", "old"]
    assert looked_up == 0
    assert again.status_code == 409
    assert drive.node(new)["name"] == "new"
    assert drive.node(old)["name"] == "renamed"
    assert drive.names(folder) == ["new", "renamed"]


def test_a_wrong_md5_is_in_the_answer_only(drive: Drive, folder: str) -> None:
    drive.fault(match={"method": "POST"}, do="wrong_md5", times=1)

    told = drive.upload("x", b"a", folder).json()

    assert told["contentProperties"]["md5"] != "0cc175b9c0f1b6a831c399e269772661"
    assert drive.node(told["id"])["contentProperties"]["md5"] == "0cc175b9c0f1b6a831c399e269772661"


@pytest.mark.parametrize("ahead", [90_000, -90_000])
def test_a_clock_may_be_off_by_any_time(drive: Drive, ahead: float) -> None:
    drive.fault(do="clock", ahead=ahead, match={}, times=1)

    lied, honest = (
        parsedate_to_datetime(drive.get("drive/v1/account/info").headers["Date"]).timestamp()
        for _ in range(2)
    )

    assert abs(lied - honest - ahead) < 60


def test_slowness_delays_and_paces(drive: Drive, folder: str) -> None:
    node = drive.put("x", b"x" * 1000, folder)
    drive.fault(match={"path": "/cdproxy/nodes/{id}/content"}, do="slow", seconds=0.1, bytes_per_s=5000)

    start = time.monotonic()
    content = drive.content(node)

    assert content == b"x" * 1000
    assert 0.25 < time.monotonic() - start < 3


def test_latency_delays_every_answer_and_none_behind_another(launch: Launch) -> None:
    drive = launch("--latency", "200ms")

    start = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        names = [f"file {number}" for number in range(20)]
        statuses = [answer.status_code for answer in pool.map(lambda name: drive.upload(name, b"x"), names)]
    took = time.monotonic() - start

    assert statuses == [201] * 20
    assert 0.2 <= took < 20 * 0.2
    assert drive.get("drive/v1/nothing").elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize("text", ["20", "ms", "-1ms", "1m", "61s", "1e3ms", "\u0663s"])
def test_a_latency_has_a_unit_and_a_bound(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--dir", "d", f"--latency={text}"])

    assert "a time such as 20ms or 1.5s" in capsys.readouterr().err


def test_a_seed_repeats_its_dice(launch: Launch) -> None:
    rule = '{"do": "status", "status": 503, "probability": 0.5, "match": {"path": "/drive/v1/account/info"}}'

    runs = []
    for _ in range(2):
        drive = launch("--seed", "7", "--fault", rule)
        runs.append([drive.get("drive/v1/account/info").status_code for _ in range(20)])
        drive.stop()

    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


def test_rules_can_wait_and_be_seen(drive: Drive) -> None:
    drive.fault(match={"query": "name:here"}, do="status", status=500, skip=1, times=1)

    statuses = [drive.get("drive/v1/nodes", filters="name:here").status_code for _ in range(3)]
    other = drive.get("drive/v1/nodes", filters="name:there").status_code

    assert (statuses, other) == ([200, 500, 200], 200)
    assert drive.get("admin/faults").json()["rules"][0]["hits"] == 1


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"do": "explode"},
        {"do": "status", "status": 99},
        {"do": "status", "stauts": 500},
        {"do": "cut", "fraction": 2},
        {"do": "slow", "bytes_per_s": 0},
        {"do": "status", "times": "many"},
        {"do": "status", "match": {"colour": "red"}},
        {"do": "status", "match": []},
        [1],
        "x",
    ],
)
def test_a_bad_rule_is_refused(drive: Drive, rule: Json) -> None:
    before = drive.get("admin/faults").json()

    answer = drive.http.post("admin/faults", json=rule)

    assert answer.status_code == 400
    assert drive.get("admin/faults").json() == before


def test_requests_are_counted_by_route(drive: Drive, folder: str) -> None:
    drive.send("DELETE", "admin/counts")

    drive.node(folder)
    drive.node(folder)
    drive.get("drive/v1/nodes/nobody")
    drive.get("nowhere")

    assert drive.counts() == {"GET /drive/v1/nodes/{id}": 3, "GET unknown": 1}


def test_administration_is_local_and_needs_no_token(drive: Drive) -> None:
    local = httpx.get(f"{drive.url}admin/counts")
    elsewhere = httpx.get(f"{drive.url}admin/counts", headers={"Host": "attacker.example"})

    assert (local.status_code, elsewhere.status_code) == (200, 403)
