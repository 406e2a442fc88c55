import itertools
import json
import time
from pathlib import Path

import pytest

from runner.app import running
from runner.manifest.load import load, loads
from runner.manifest.schema import schema
from runner.report.effective import effective_text
from tests.golden import same_as_golden
from tests.rooms.cli.conftest import Acdrun, manifest, write

JOBS = Path(__file__).parents[3] / "jobs"

RICH = """\
version: 1
name: rich one
remotes:
  cloud: { type: acd, server: embedded, root: Top, limits: { bandwidth: 20MiB/s } }
policies:
  checksum: { strict: { compare: hash, verify: readback, sample: 5% } }
defaults: { retry: { attempts: 7 } }
jobs:
  first one:
    before: [sh, -c, "echo 'a: b' # c"]
    pairs:
      - source: "./with: space # and more"
        destination: "cloud:a b/c"
        mode: copy
        checksum: strict
        filter: [{ exclude: "**/.cache/" }, { include: { larger_than: 1GiB, older_than: 30d } }]
  second:
    needs: [first one]
    pairs:
      - { source: there, destination: "cloud:d", mode: mirror, guard: { source: { sentinel: "yes" } } }
"""


def test_a_good_manifest_is_called_fine_with_what_is_in_it(acdrun: Acdrun, place: Path) -> None:
    write(place / "rich.yaml", RICH)

    ended = acdrun("validate", "m.yaml", "rich.yaml")

    assert ended.code == 0
    assert ended.out == "m.yaml: fine: 1 job, 1 pair, 0 remotes\nrich.yaml: fine: 2 jobs, 2 pairs, 1 remote\n"
    assert not (place / "state").exists()


def test_every_file_is_validated_whatever_the_others_are_like(acdrun: Acdrun, place: Path) -> None:
    write(place / "bad.yaml", "version: 2\n")

    ended = acdrun("validate", "bad.yaml", "m.yaml")

    assert ended.code == 2
    assert ended.out.startswith("m.yaml: fine")
    assert "bad.yaml:1:" in ended.err


def test_a_warning_names_its_line_and_is_no_error(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest('filter: [{ exclude: sub/ }, { include: "sub/two.txt" }]'))

    checked, planned, run = acdrun("validate", "m.yaml"), acdrun("--plan", "m.yaml"), acdrun("m.yaml")

    assert (checked.code, run.code) == (0, 0)
    assert "1 warning" in checked.out
    assert "m.yaml:9:" in checked.err
    assert "! m.yaml:9:" in planned.out
    assert "acdrun: warning: m.yaml:9:" in run.err


@pytest.mark.parametrize("file", [*sorted(JOBS.glob("*.yaml")), "rich", "least"], ids=str)
def test_what_show_prints_is_a_manifest_that_asks_for_the_same(file: Path | str, place: Path) -> None:
    texts = {"rich": RICH, "least": manifest()}
    shown_of = load(file) if isinstance(file, Path) else loads(texts[file], "m.yaml")

    text = effective_text(shown_of)

    assert loads(text, "shown.yaml").digest == shown_of.digest


def test_show_tells_where_a_value_comes_from(acdrun: Acdrun, place: Path) -> None:
    write(place / "rich.yaml", RICH)

    ended = acdrun("show", "rich.yaml")

    lines = {line.partition("  # ")[0].strip(): line.partition("  # ")[2] for line in ended.out.splitlines()}
    assert lines["checksum: { compare: hash, verify: readback, sample: 5% }"] == "line 15"
    assert lines['retry: { attempts: 7, calls: 6, backoff: "1s..2m", budget: 30m }'] == "defaults, line 7"
    assert lines["links: skip"] == "default"
    assert lines["root: Top"] == "line 4"


def test_a_secret_is_shown_as_its_reference_only(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "do-not-show")
    write(place / "rich.yaml", RICH.replace("server: embedded", "auth: { token: { env: MY_TOKEN } }"))

    said = acdrun("show", "rich.yaml").out + acdrun("show", "rich.yaml", "--json").out

    assert "MY_TOKEN" in said
    assert "do-not-show" not in said


@pytest.mark.parametrize(
    ("form", "first"), [("text", "all jobs"), ("mermaid", "flowchart TD"), ("dot", "digraph")]
)
def test_the_graph_is_drawn(form: str, first: str, acdrun: Acdrun, place: Path) -> None:
    write(place / "rich.yaml", RICH)

    ended = acdrun("graph", "rich.yaml", "--format", form)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(first)
    for stage in ("hook before", "list source", "upload", "trash"):
        assert stage in ended.out


def test_the_schema_is_printed_as_editors_take_it(acdrun: Acdrun) -> None:
    ended = acdrun("schema")

    assert json.loads(ended.out) == schema()


def test_ls_prints_sizes_and_paths_as_rclone_does(acdrun: Acdrun, place: Path) -> None:
    ended = acdrun("ls", "src")

    assert ended.out.splitlines() == [
        "        3 one.txt",
        "        7 sub/two.txt",
        "     3000 sub/deep/three.txt",
    ]


def test_lsd_prints_the_folders_of_one_level_as_rclone_does(acdrun: Acdrun, place: Path) -> None:
    write(place / "src/another/x", "x")

    ended = acdrun("lsd", "./src")

    first, second = ended.out.splitlines()
    assert first.split()[0] == first.split()[3] == "-1"
    assert time.strptime(first[13:32], "%Y-%m-%d %H:%M:%S")
    assert [first[33:], second[33:]] == ["       -1 another", "       -1 sub"]


def test_a_remote_of_a_manifest_and_one_of_the_user_can_be_looked_at(acdrun: Acdrun, place: Path) -> None:
    write(place / "with.yaml", manifest(top="remotes: { here: { type: local, path: src } }"))
    write(
        place / "config/acdrun/remotes.yaml", f"remotes: {{ mine: {{ type: local, path: {place}/src }} }}\n"
    )

    theirs, ours = acdrun("ls", "-f", "with.yaml", "here:sub"), acdrun("ls", "mine:sub")

    assert theirs.out == ours.out == "        7 two.txt\n     3000 deep/three.txt\n"


def test_a_remote_that_is_not_there_is_guessed_at(acdrun: Acdrun, place: Path) -> None:
    write(place / "config/acdrun/remotes.yaml", f"remotes: {{ mine: {{ type: local, path: {place} }} }}\n")

    ended = acdrun("lsd", "mien:")

    assert ended.code == 2
    assert 'did you mean "mine"' in ended.err


def test_a_folder_that_is_not_there_is_an_error(acdrun: Acdrun) -> None:
    ended = acdrun("ls", "src/nowhere")

    assert ended.code == 1
    assert "acdrun: error: " in ended.err
    assert ended.out == ""


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are labelled as if they were a second apart."""
    numbers = itertools.count()
    monkeypatch.setattr(running, "next_label", lambda state: f"20260901T0200{next(numbers):02}-abcd")


@pytest.mark.usefixtures("labels")
def test_history_lists_the_runs_latest_first(acdrun: Acdrun, place: Path) -> None:
    none = acdrun("history")
    acdrun("m.yaml")
    write(place / "m.yaml", manifest("guard: { source: { min_files: 9 } }"))
    acdrun("m.yaml")

    ended, last = acdrun("history"), acdrun("history", "-n", "1")

    assert none.out == "no runs yet\n"
    assert len(ended.out.splitlines()) == 3
    assert "4 refused" in ended.out.splitlines()[1]
    assert "0 converged" in ended.out.splitlines()[2]
    assert "3 (2.94KiB)" in ended.out.splitlines()[2]
    assert [line.split() for line in last.out.splitlines()] == [
        line.split() for line in ended.out.splitlines()[:2]
    ]


@pytest.mark.usefixtures("labels")
def test_log_tells_what_a_run_did(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    (place / "src/one.txt").unlink()
    write(place / "src/sub/two.txt", "changed")
    acdrun("m.yaml")

    ended, whole = acdrun("log", "last"), acdrun("log", "last", "--all")

    same_as_golden("log", ended.out, place)
    assert "back with " in whole.out
    assert "(not in the source any more)" in whole.out


def test_a_run_is_found_by_the_beginning_of_its_name(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    label = acdrun("history").out.splitlines()[1].split()[0]

    assert acdrun("log", label[:18]).out == acdrun("log", "last").out
