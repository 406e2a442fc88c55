"""A folder with something to copy, a state directory of its own, and the command line in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.cli.main import main

MANIFEST = """\
version: 1
name: pictures
jobs:
  photos:
    pairs:
      - source: src
        destination: dst
        mode: mirror
"""


class Ended(NamedTuple):
    """code, and what was written to stdout and stderr."""

    code: int
    out: str
    err: str


Acdrun = Callable[..., Ended]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: `src` with three files, `m.yaml` that mirrors it to `dst`."""
    monkeypatch.setenv("ACDRUN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for name, text in (("one.txt", "one"), ("sub/two.txt", "two two"), ("sub/deep/three.txt", "3" * 3000)):
        write(tmp_path / "src" / name, text)
    write(tmp_path / "m.yaml", MANIFEST)
    return tmp_path


@pytest.fixture
def acdrun(place: Path, capsys: pytest.CaptureFixture[str]) -> Acdrun:
    """Run the command line here."""

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        code = main(argv)
        return Ended(code, *capsys.readouterr())

    return run


def write(path: Path, text: str) -> None:
    """Make a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def manifest(pair: str = "", job: str = "", top: str = "") -> str:
    """The manifest with more in its pair, its job, its top."""
    text = MANIFEST + "".join(f"        {line}\n" for line in pair.splitlines())
    text = text.replace(
        "    pairs:\n", "".join(f"    {line}\n" for line in job.splitlines()) + "    pairs:\n"
    )
    return text.replace("jobs:\n", "".join(f"{line}\n" for line in top.splitlines()) + "jobs:\n")
