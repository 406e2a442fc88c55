"""What fuzzing has found, case by case."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.cli.main import main
from runner.emulator.answers import Refused
from runner.emulator.multipart import read_json
from runner.manifest.load import loads
from runner.model.errors import BadAnswer, LoginNeeded, ManifestError
from runner.model.secret import EnvReference
from runner.remote.oauth import granted
from runner.remote.secrets import resolve
from runner.remote.tokens import Token
from tests.fuzz.test_plans import world
from tests.rooms.acd.service import Service, drive, listed, node, page, run


def test_what_is_missing_at_the_end_of_a_manifest_is_missed_on_its_last_line() -> None:
    with pytest.raises(ManifestError) as caught:
        loads("[", "x.yaml")

    assert caught.value.problems[0].place == ("x.yaml", 1, 2)


@pytest.mark.parametrize("text", ["\ud800", "a\nb", "é", "a\0"])
def test_a_token_that_cannot_be_sent_is_none(text: str) -> None:
    for key in ("access_token", "refresh_token"):
        fields = {"access_token": "good", "refresh_token": "good", key: text}
        with pytest.raises(LoginNeeded):
            Token.parse(json.dumps(fields), "it")
        with pytest.raises(BadAnswer):
            granted(json.dumps(fields).encode(), 0.0)


def test_a_secret_that_is_not_utf8_is_masked_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AN_INVENTED_SECRET", "invented\udcff")

    assert resolve(EnvReference(env="AN_INVENTED_SECRET")).reveal() == "invented\udcff"


def test_a_token_may_expire_after_the_last_year_that_can_be_written() -> None:
    text = '{"access_token": "a", "expiry": "9999-12-31T23:59:59-01:00"}'

    assert Token.parse(Token.parse(text, "it").dump(), "it").expiry == 253402300799.0


@pytest.mark.parametrize(
    "body",
    [b'{"name": "\xed\xa0\x80"}', '{"name": "\\ud800"}'.encode("utf-16"), b'{"size": 1e999}'],
    ids=["a surrogate in bytes", "a surrogate in UTF-16", "infinity"],
)
def test_a_body_that_could_not_be_stored_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_json(body)

    assert caught.value.answer.status == 400


@pytest.mark.parametrize("more", [{"parents": None}, {"parents": []}, {"status": None}, {"status": "AWAY"}])
def test_a_listed_node_that_stands_nowhere_is_not_taken_for_absent(more: dict[str, Any]) -> None:
    service = Service(("GET", "^nodes", page(node("N1", "a"), node("N2", "b", **more))))

    with pytest.raises(BadAnswer):
        run(listed(drive(service)))


def test_show_of_an_edited_plan_refuses_what_it_cannot_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, whole = world()
    plan = tmp_path / "edited.plan"
    plan.write_bytes(whole)
    with closing(sqlite3.connect(plan)) as connection, connection:
        connection.execute("UPDATE op SET state = 'nowhere'")
    monkeypatch.setenv("ACDRUN_STATE", str(here.state))

    assert main(["show", str(plan)]) == 5
    assert "holds what no plan holds" in capsys.readouterr().err
