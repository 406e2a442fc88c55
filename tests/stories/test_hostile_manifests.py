"""Job files that mean harm or say what was not meant: refused with a line number, soon, and in little memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rooms.manifest.test_bounds import HOSTILE
from tests.stories.conftest import Machine

LOADS = """
import json, resource, sys
from pathlib import Path
from runner.manifest.load import load, loads
from runner.model.errors import ManifestError

def codes(file):
    try:
        load(Path(file))
    except ManifestError as error:
        return [problem.code for problem in error.problems]

codes(sys.argv[1])  # so that all that any manifest needs is in memory
pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + 50_000_000,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
print(json.dumps({file: codes(file) for file in sys.argv[2:]}))
"""


@pytest.mark.torture
def test_C1_a_manifest_that_is_a_bomb_is_refused_within_50_mb(machine: Machine) -> None:
    small = machine.jobs / "small.yaml"
    small.write_text("version: 1\nname: small\njobs: {a: {pairs: []}}\nunknown: 1\n")
    files = {}
    for number, (name, (text, code)) in enumerate(HOSTILE.items()):
        file = machine.jobs / f"{number}.yaml"
        file.write_text(text)
        files[str(file)] = (name, code)
    big = machine.jobs / "big.yaml"
    with big.open("wb") as stream:
        stream.write(b"version: 1\n")
        stream.truncate(100_000_000)
    files[str(big)] = ("100 MB", "too-big")

    done = subprocess.run(
        [sys.executable, "-c", LOADS, str(small), *files],
        env=machine.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-500:]
    found = json.loads(done.stdout)
    for path, (name, code) in files.items():
        assert found[path] is not None, f"{name} was taken for a manifest"
        assert code in found[path], name


@pytest.mark.torture
def test_C1_no_object_is_made_of_a_tag_and_no_command_is_run(machine: Machine) -> None:
    trace = machine.home / "trace"
    file = machine.jobs / "object.yaml"
    file.write_text(f"version: 1\nname: !!python/object/apply:os.system ['touch {trace}']\njobs: {{}}\n")

    for words in (("validate", str(file)), (str(file),)):
        said = machine.acdrun(*words)

        assert said.code == 2
        assert "object.yaml:2:" in said.err
        assert "Traceback" not in said.err
    assert not trace.exists()
    assert not list(Path(machine.state).glob("runs/*"))


WRONG = """\
version: 1
name: no
jobs:
  photos:
    pairs:
      - source: ../photos
        destination: 010
        mode: mirror
        mode: copy
        filtre: []
        guard: {source: {min_files: 0x10, sentinel: 12:30}}
        retry: {attempts: 12:30}
"""


@pytest.mark.torture
def test_C2_every_mistake_is_named_with_its_line_and_nothing_is_done(machine: Machine) -> None:
    (machine.jobs / "wrong.yaml").write_text(WRONG)
    machine.write({"a.txt": "1"})

    said = machine.acdrun("jobs/wrong.yaml")

    assert said.code == 2
    for line, word in ((2, "no"), (7, "010"), (9, "mode"), (10, "filtre"), (11, "0x10"), (12, "12:30")):
        named = [text for text in said.err.splitlines() if f"wrong.yaml:{line}:" in text]
        assert named, f"line {line} is not named in:\n{said.err}"
        assert any(word in text for text in named), named
    assert "Traceback" not in said.err
    assert sorted(path.name for path in machine.home.iterdir() if path.name != "state") == ["jobs", "photos"]
    assert not list(machine.state.glob("runs/*"))
