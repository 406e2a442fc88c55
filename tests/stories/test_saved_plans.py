"""Saved plans that pass through other hands: what is refused, and that nothing at all is asked of the drive then."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from runner.backends.acd.embedded import Embedded
from runner.cli.main import main
from runner.remote.tokens import TokenStore
from runner.state.keys import own_key, shared_key
from runner.state.seal import seal
from tests.stories.conftest import Machine

CANARY = "canary-4711-canary-4711"
MANIFEST = """\
version: 1
name: pictures
remotes:
  cloud: {{type: acd, server: "{url}"}}
{more}
jobs:
  photos:
    pairs:
      - {{source: src, destination: "cloud:{folder}", mode: mirror, retry: {{attempts: 2, backoff: 10ms..20ms}}}}
"""


class Ended(NamedTuple):
    """How a call of the program ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One drive that outlives the runs, and counts what it is asked."""
    server = asyncio.run(Embedded.start(tmp_path_factory.mktemp("drive"), "drive"))
    yield server
    asyncio.run(server.close())


@dataclass
class Desk:
    """Where one plans and applies: a manifest, a source, a state directory, a saved plan."""

    folder: Path
    drive: Embedded
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    state: Path

    @property
    def plan(self) -> Path:
        """The saved plan."""
        return self.folder / "it.plan"

    def call(self, *argv: str) -> Ended:
        """The command line, with the state directory of the moment."""
        self.monkeypatch.setenv("ACDRUN_STATE", str(self.state))
        self.capsys.readouterr()
        code = main(argv)
        return Ended(code, *self.capsys.readouterr())

    def manifest(self, more: str = "") -> None:
        """Write `m.yaml`."""
        text = MANIFEST.format(url=self.drive.url, folder=self.folder.name, more=more)
        (self.folder / "m.yaml").write_text(text)

    def another_machine(self) -> None:
        """From now on, with a state directory that knows nothing but how to log in."""
        self.state = self.folder / "another"
        self.state.mkdir(mode=0o700)
        TokenStore(self.state, "cloud").save(self.drive.token)

    def asked(self) -> dict[str, int]:
        """Every request that the drive had so far, by method and route."""
        found: dict[str, int] = httpx.get(self.drive.url + "admin/counts").json()["requests"]
        return {route: number for route, number in found.items() if "admin" not in route}

    def edit(self, statement: str, *values: object, key: bool = False) -> None:
        """Change the plan by hand; key: and seal it again with the state directory's own key."""
        with contextlib.closing(sqlite3.connect(self.plan)) as connection, connection:
            connection.execute(statement, values)
        if key:
            seal(self.plan, own_key(self.state))


@pytest.fixture
def desk(
    tmp_path: Path, emulator: Embedded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    """With a plan that creates, saved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    TokenStore(state, "cloud").save(emulator.token)
    made = Desk(tmp_path, emulator, monkeypatch, capsys, state)
    (tmp_path / "src").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "src" / name).write_text(name)
    made.manifest()
    return made


def planned(desk: Desk) -> None:
    """Save a plan of `m.yaml`."""
    assert desk.call("--plan", "--out", "it.plan", "m.yaml").code == 0


def flipped(desk: Desk) -> None:
    whole = bytearray(desk.plan.read_bytes())
    at = whole.index(b"a.txt")
    whole[at] ^= 1
    desk.plan.write_bytes(whole)


def truncated(desk: Desk) -> None:
    with desk.plan.open("r+b") as file:
        file.truncate(9000)


def manifest_edited(desk: Desk) -> None:
    desk.manifest("defaults: {links: block}")


def manifest_broken(desk: Desk) -> None:
    (desk.folder / "m.yaml").write_text("version: 1\nname:")


def applied(desk: Desk) -> None:
    assert desk.call("apply", "it.plan").code == 0


def applied_here_as_another_name(desk: Desk) -> None:
    shutil.copy(desk.plan, desk.folder / "copy.plan")
    assert desk.call("apply", "copy.plan").code == 0


def run_since(desk: Desk) -> None:
    assert desk.call("m.yaml").code == 0


def other_plan_since(desk: Desk) -> None:
    assert desk.call("--plan", "--out", "second.plan", "m.yaml").code == 0
    assert desk.call("apply", "second.plan").code == 0


def journal_forgotten(desk: Desk) -> None:
    assert desk.call("apply", "it.plan").code == 0
    shutil.rmtree(desk.state / "runs")


def state_of_yesterday(desk: Desk) -> None:
    desk.edit("UPDATE validity SET serial = serial + 1", key=True)


def other_job(desk: Desk) -> None:
    text = (desk.folder / "m.yaml").read_text().replace("name: pictures", "name: music")
    (desk.folder / "other.yaml").write_text(text)


def journal_of_a_run(desk: Desk) -> None:
    assert desk.call("m.yaml").code == 0
    (journal,) = (desk.state / "runs").glob("*.journal")
    shutil.copy(journal, desk.plan)


def a_text(desk: Desk) -> None:
    desk.plan.write_text("no plan at all\n" * 100)


def sql(statement: str, *, key: bool = False) -> Callable[[Desk], None]:
    return lambda desk: desk.edit(statement, key=key)


def foreign(desk: Desk) -> None:
    seal(desk.plan, shared_key("a key of somebody else's"))


REFUSALS: dict[str, tuple[Callable[[Desk], None], list[str], str, str]] = {
    "edited": (sql("UPDATE path SET path = 'z.txt' WHERE path = 'a.txt'"), [], "not what was saved", "--plan --out"),
    "edited, to be accepted": (
        sql("DELETE FROM op WHERE id = 1"), ["--accept-unsigned"], "not what was saved", "copy it again"
    ),
    "flipped": (flipped, [], "not what was saved", "--plan --out"),
    "truncated": (truncated, [], "is cut off: it has 9,000 bytes", "copy it again"),
    "foreign": (foreign, [], "sealed with a key unknown here", "ACDRUN_PLAN_KEY"),
    "unsealed": (sql("DELETE FROM seal"), [], "has no seal", "--plan --out"),
    "expired": (sql("UPDATE validity SET expires = 1000000000", key=True), [], "expired at 2001-09-09", "--plan --out"),
    "from the future": (
        sql("UPDATE run SET created = created + 3600", key=True), [], "a clock is wrong", "set the clock"
    ),
    "applied": (applied, [], "applied already; it ended with exit code 0", "acdrun log"),
    "applied from a copy": (applied_here_as_another_name, [], "applied already", "acdrun log"),
    "applied, and its journal lost": (journal_forgotten, [], "has written there since", "--plan --out"),
    "run since": (run_since, [], "has written there since the plan was made", "acdrun log"),
    "another plan applied since": (other_plan_since, [], "has written there since", "acdrun log"),
    "state directory of yesterday": (state_of_yesterday, [], "older than the plan", "backup"),
    "manifest edited": (manifest_edited, [], "m.yaml has changed since the plan was made", "--plan --out"),
    "manifest broken": (manifest_broken, [], "is none now", "acdrun validate"),
    "of another job": (other_job, ["-f", "other.yaml"], "'pictures', and other.yaml is 'music'", "--plan --out"),
    "a trigger in it": (
        sql("CREATE TRIGGER t AFTER UPDATE ON op BEGIN DELETE FROM path; END"), ["--accept-unsigned"],
        "holds tables or programs that no plan of this version holds", "--plan --out",
    ),
    "of a newer version": (sql("PRAGMA user_version = 99"), [], "newer acdrun (its format is 99", "that acdrun"),
    "the journal of a run": (journal_of_a_run, ["--accept-unsigned"], "no finished plan", "--plan --out"),
    "not finished": (sql("UPDATE run SET state = 'planning'", key=True), [], "no finished plan", "--plan --out"),
    "a path for a label": (
        sql("UPDATE run SET id = '../../escaped'"), ["--accept-unsigned"], "is no plan", "--plan --out"
    ),
    "a text": (a_text, [], "is no plan", "--plan --out"),
}  # fmt: skip


@pytest.mark.torture
@pytest.mark.parametrize("case", REFUSALS)
def test_D9_a_plan_is_refused_before_anything_is_asked_of_the_drive(desk: Desk, case: str) -> None:
    spoil, options, message, hint = REFUSALS[case]
    planned(desk)
    spoil(desk)
    before, files = desk.asked(), sorted((desk.state / "runs").glob("*"))

    ended = desk.call("apply", *options, "it.plan")

    assert ended.code == 5
    assert message in ended.err
    assert hint in ended.err.partition("hint: ")[2]
    assert desk.asked() == before
    assert sorted((desk.state / "runs").glob("*")) == files
    assert not list((desk.state / "plans").iterdir())


@pytest.mark.torture
def test_D9_a_plan_of_a_key_unknown_here_is_taken_on_demand_and_that_is_said(desk: Desk) -> None:
    planned(desk)
    desk.another_machine()

    refused = desk.call("apply", "it.plan")
    taken = desk.call("apply", "--quiet", "--accept-unsigned", "it.plan")

    assert refused.code == 5
    assert "share a key: say `plan: {key: {env: ACDRUN_PLAN_KEY}}`" in refused.err
    assert taken.code == 0
    assert "warning: 'it.plan' is sealed with a key unknown here" in taken.err
    assert "nothing proves who made it" in taken.err


@pytest.mark.torture
def test_D9_a_plan_names_no_command_file_or_known_variable_as_the_key_it_is_checked_with(desk: Desk) -> None:
    touched = desk.folder / "touched"
    key = "a key that the attacker knows"
    (desk.folder / "key").write_text(key)
    (desk.folder / "key").chmod(0o600)
    desk.monkeypatch.setenv("WELL_KNOWN", key)
    file = str(desk.folder / "key")
    for reference in (
        "{env: WELL_KNOWN}",
        f"{{file: {file}}}",
        f"{{command: [sh, -c, 'touch {touched}; echo {key}']}}",
    ):
        desk.manifest(f"plan: {{key: {reference}}}")
        desk.call("--plan", "--out", "it.plan", "m.yaml")
        touched.unlink(missing_ok=True)
        before = desk.asked()

        ended = desk.call("apply", "it.plan")
        shown = desk.call("show", "it.plan")

        assert (ended.code, "sealed with a key unknown here" in ended.err) == (5, True)
        assert "sealed with a key unknown here" in shown.out
        assert "acdrun apply -f FILE PLAN" in ended.err
        assert not touched.exists()
        assert desk.asked() == before
        assert desk.call("show", "-f", "m.yaml", "it.plan").out.count("sealed with the shared key") == 1
        desk.plan.unlink()


def test_a_plan_is_applied_on_another_machine_that_shares_the_key(desk: Desk) -> None:
    desk.monkeypatch.setenv("ACDRUN_PLAN_KEY", CANARY)
    desk.manifest("plan: {key: {env: ACDRUN_PLAN_KEY}, expires: 2h}")
    planned(desk)
    desk.another_machine()

    desk.monkeypatch.delenv("ACDRUN_PLAN_KEY")
    without = desk.call("apply", "it.plan")
    desk.monkeypatch.setenv("ACDRUN_PLAN_KEY", "another key, by mistake")
    wrong = desk.call("apply", "it.plan")
    desk.monkeypatch.setenv("ACDRUN_PLAN_KEY", CANARY)
    applied, again = desk.call("apply", "it.plan"), desk.call("apply", "it.plan")

    assert (without.code, wrong.code, applied.code, again.code) == (5, 5, 0, 5)
    assert "set the environment variable ACDRUN_PLAN_KEY" in without.err
    assert "applied already" in again.err
    assert desk.call("--plan", "--detailed-exitcode", "m.yaml").code == 0


def test_a_key_of_any_form_is_taken_from_the_manifest_of_the_machine_that_applies(desk: Desk) -> None:
    secret = desk.folder / "secret"
    secret.write_text(CANARY)
    secret.chmod(0o600)
    desk.manifest("plan: {key: {file: secret}}")
    planning = desk.call("--plan", "--out", "it.plan", "m.yaml")
    desk.another_machine()

    ended = desk.call("apply", "-f", "m.yaml", "it.plan")

    assert planning.out.endswith("to apply exactly this:  acdrun apply -f m.yaml it.plan\n")
    assert ended.code == 0


def test_a_machine_that_plans_often_and_never_applies_is_not_held_back_by_another_that_does(
    desk: Desk,
) -> None:
    desk.monkeypatch.setenv("ACDRUN_PLAN_KEY", CANARY)
    desk.manifest("plan: {key: {env: ACDRUN_PLAN_KEY}}")
    planning, codes = desk.state, []
    desk.another_machine()
    applying = desk.state
    for number in range(3):
        (desk.folder / "src" / f"{number}.txt").write_text(str(number))
        desk.state = planning
        planned(desk)
        desk.state = applying
        codes.append(desk.call("apply", "it.plan").code)
        desk.plan.unlink()

    assert codes == [0, 0, 0]


@pytest.mark.torture
def test_D10_what_drifted_is_left_and_named_and_the_rest_is_sent(desk: Desk) -> None:
    run_since(desk)
    for name in ("a.txt", "b.txt"):
        (desk.folder / "src" / name).write_text(f"{name}, a second time")
    planned(desk)
    desk.monkeypatch.chdir(desk.folder)
    away = desk.folder / "away"
    away.mkdir()
    (away / "a.txt").write_text("somebody else's")
    ours = desk.state
    desk.another_machine()
    assert desk.call("copy", "-f", "m.yaml", "away", f"cloud:{desk.folder.name}").code == 0
    desk.state = ours

    ended = desk.call("apply", "it.plan")

    assert ended.code == 5
    assert "a.txt: stale: " in ended.out
    assert desk.call("cat", "-f", "m.yaml", f"cloud:{desk.folder.name}/a.txt").out == "somebody else's"
    assert desk.call("cat", "-f", "m.yaml", f"cloud:{desk.folder.name}/b.txt").out == "b.txt, a second time"


def test_an_apply_that_was_cut_off_is_finished_and_its_file_is_checked_again(desk: Desk) -> None:
    for number in range(20):
        (desk.folder / "src" / f"{number}.txt").write_text("x" * 100)
    planned(desk)
    whole = desk.plan.read_bytes()

    first = desk.call("apply", "--max-transfer", "150B", "it.plan")
    flipped(desk)
    spoilt = desk.call("apply", "it.plan")
    desk.plan.write_bytes(whole)
    second = desk.call("apply", "it.plan")

    assert (first.code, spoilt.code, second.code) == (11, 5, 0)
    assert desk.call("--plan", "--detailed-exitcode", "m.yaml").code == 0


def test_an_apply_that_was_cut_off_is_not_finished_over_what_another_run_wrote_since(desk: Desk) -> None:
    for number in range(20):
        (desk.folder / "src" / f"{number}.txt").write_text("x" * 100)
    planned(desk)
    desk.call("apply", "--max-transfer", "150B", "it.plan")
    run_since(desk)

    ended = desk.call("apply", "it.plan")

    assert ended.code == 5
    assert "has written there since the plan was made" in ended.err


def test_a_run_that_changes_nothing_leaves_the_plan_as_true_as_it_was(desk: Desk) -> None:
    run_since(desk)
    planned(desk)
    run_since(desk)

    assert desk.call("apply", "it.plan").code == 0


@pytest.mark.torture
def test_D11_a_saved_plan_is_private_and_holds_no_secret(desk: Desk) -> None:
    desk.monkeypatch.setenv("ACDRUN_PLAN_KEY", CANARY)
    desk.monkeypatch.setenv("CLIENT_SECRET", "canary-client-secret")
    desk.monkeypatch.setenv("CANARY", "canary-in-the-environment")
    desk.manifest("plan: {key: {env: ACDRUN_PLAN_KEY}}")
    text, url = (desk.folder / "m.yaml").read_text(), f'server: "{desk.drive.url}"'
    (desk.folder / "m.yaml").write_text(
        text.replace(url, url + ", auth: {client_secret: {env: CLIENT_SECRET}}")
    )
    old = os.umask(0)
    try:
        planned(desk)
    finally:
        os.umask(old)
    shown = desk.call("show", "-v", "it.plan")
    records = desk.call("show", "--json", "it.plan")

    token = desk.drive.token
    secrets = [CANARY, "canary-", token.access.reveal(), own_key(desk.state).material.hex()]
    secrets += [token.refresh.reveal()] if token.refresh else []
    assert "CLIENT_SECRET" in desk.plan.read_bytes().decode("latin-1"), "the reference is there"
    assert stat.S_IMODE(desk.plan.stat().st_mode) == 0o600
    for place in (desk.plan.read_bytes().decode("latin-1"), shown.out, records.out):
        assert not [secret for secret in secrets if secret in place]
    assert own_key(desk.state).material not in desk.plan.read_bytes()
    assert [path.name for path in desk.folder.glob(".*")] == []


@pytest.mark.torture
def test_D9_planning_that_is_killed_leaves_nothing_that_looks_like_a_plan(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({f"{number // 50:02}/{number}.jpg": f"picture {number}" for number in range(500)})
    plan = machine.home / "it.plan"
    process = machine.start("--plan", "--out", "it.plan", job)
    deadline = time.monotonic() + 60
    while not list(machine.state.glob("plans/*.journal")) and time.monotonic() < deadline:
        time.sleep(0.01)

    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert list(machine.state.glob("plans/*.journal"))
    assert not plan.exists()
    assert machine.acdrun("--plan", "--out", "it.plan", job).code == 0
