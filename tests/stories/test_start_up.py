"""What a command loads before it does anything: a start is as slow as its imports, and those can be counted."""

import json
import subprocess
import sys
from pathlib import Path

from tests.stories.conftest import NIGHTLY, Machine

TELL = """
import sys
before = set(sys.modules)  # some packages have the interpreter load something at every start
import json
from runner.cli.main import main
code = main(json.loads(sys.argv[1]))
sys.stderr.write("\\n" + json.dumps([code, sorted(set(sys.modules) - before)]))
"""
HEAVY = {
    "aiohttp", "asyncio", "concurrent.futures", "cryptography", "filelock", "httpx", "networkx", "rich", "sqlite3",
    "ssl", "tenacity",
}  # fmt: skip
READERS = {
    "annotated_types",
    "pathspec",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
    "yaml",
}


def loaded(machine: Machine, *words: str) -> set[str]:
    """The modules that a command line has loaded when it ends well."""
    ended = subprocess.run(
        [sys.executable, "-c", TELL, json.dumps(words)],
        cwd=machine.home, env=machine.environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    code, modules = json.loads(ended.stderr.splitlines()[-1])
    assert code == 0, ended.stderr
    return set(modules)


def libraries(modules: set[str]) -> set[str]:
    """Those that are neither ours nor Python's, by their first names."""
    names = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    known = {"runner", "sitecustomize", "cython_runtime"}
    return {name for name in names if not name.startswith("_")} - known


def ours(modules: set[str]) -> set[str]:
    """The rooms of the house that were entered."""
    return {name.split(".")[1] for name in modules if name.startswith("runner.")}


def test_help_loads_no_library_at_all(machine: Machine) -> None:
    modules = loaded(machine, "--help")

    assert libraries(modules) == set()
    assert not modules & (HEAVY | {"argparse", "decimal", "subprocess", "traceback"})
    assert ours(modules) == {"cli", "model", "report"}


def test_validate_loads_the_readers_of_manifests_and_nothing_else(machine: Machine) -> None:
    rules = "filter: [{exclude: '*.tmp'}, {include: {smaller_than: 20GiB}}]"
    job = machine.nightly(NIGHTLY.replace("mode: mirror", f"mode: mirror, {rules}"))

    modules = loaded(machine, "validate", job)

    assert libraries(modules) == READERS
    assert not modules & (HEAVY | {"difflib", "subprocess", "traceback"})
    assert ours(modules) == {"backends", "cli", "manifest", "model", "report"}


def test_a_run_between_disks_loads_no_wire_no_terminal_and_its_graph_as_it_was_compiled(
    machine: Machine,
) -> None:
    machine.write({"a.txt": "a"})
    pair = "{source: ../photos, destination: ../copy, mode: mirror}"
    job = machine.nightly(f"version: 1\nname: nightly\njobs: {{photos: {{pairs: [{pair}]}}}}\n")

    first, second = loaded(machine, job), loaded(machine, job)

    assert libraries(first) == READERS - {"pathspec"} | {"filelock", "networkx"}
    assert libraries(second) == READERS - {"pathspec"} | {"filelock"}
    assert not second & {
        "difflib",
        "http.client",
        "multiprocessing",
        "urllib.request",
        "xml.etree.ElementTree",
    }
    assert not {name for name in second if name.startswith("runner.backends.")} - {
        name for name in second if name.startswith(("runner.backends.local", "runner.backends.registry"))
    }


def test_a_worker_that_lists_folders_loads_next_to_nothing() -> None:
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv[1])\n"
         "import runner.backends.local.worker\nprint(*sys.modules)", str(Path(__file__).parents[2])],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    modules = set(said.stdout.split())

    assert libraries(modules) == set()
    assert not modules & {
        "_hashlib",
        "asyncio",
        "dataclasses",
        "inspect",
        "json",
        "logging",
        "pathlib",
        "subprocess",
    }
    assert ours(modules) == {"backends", "model"}


ALL_MODELS = """
import runner.app
from pydantic import BaseModel
def below(model):
    for one in model.__subclasses__():
        yield one
        yield from below(one)
print(*(m.__name__ for m in below(BaseModel) if m.__module__.startswith("runner") and m.__pydantic_complete__))
"""


def test_a_model_is_not_built_before_it_reads() -> None:
    said = subprocess.run(
        [sys.executable, "-c", ALL_MODELS],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert said.stdout == "\n"
