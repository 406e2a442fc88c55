"""Ctrl-C while the program starts: there is nothing to wind up, so it goes as any program does, without a word."""

import signal
from pathlib import Path

import pytest

from tests.stories.conftest import Machine

INTERRUPT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
"""


@pytest.fixture
def early(machine: Machine) -> dict[str, str]:
    """An environment in which a start is interrupted at the import of the module that `AT` names."""
    folder = machine.home / "early"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(INTERRUPT)
    return {"PYTHONPATH": f"{folder}:{machine.environment['PYTHONPATH']}"}


@pytest.mark.parametrize(
    "at",
    [
        "runner.cli.main",
        "pathlib",
        "runner.cli.commands.run",
        "pydantic",
        "runner.manifest.load",
        "runner.backends.acd.config",
        "runner.app.running",
    ],
)
def test_an_interrupt_while_it_imports_ends_it_without_a_word(
    machine: Machine, early: dict[str, str], at: str
) -> None:
    machine.write({"a.txt": "a"})
    job = machine.nightly()

    said = machine.acdrun(job, **early, AT=at)

    assert (said.code, said.err) == (-signal.SIGINT, "")
    assert not list(Path(machine.state).rglob("crashes"))
    assert machine.acdrun(job).code == 0


def test_an_interrupt_while_a_run_imports_winds_the_run_up(machine: Machine, early: dict[str, str]) -> None:
    machine.write({"a.txt": "a"})
    job = machine.nightly()

    said = machine.acdrun(job, **early, AT="runner.backends.acd.nodes")

    assert said.code == 130
    assert "SIGINT: no new work is started" in said.err
    assert "Traceback" not in said.err
    assert machine.acdrun(job).code == 0
