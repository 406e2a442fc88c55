"""C1: files that are meant to exhaust the reader end in a problem, soon and cheaply."""

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.manifest.load import load as load_file
from runner.model.errors import ManifestError

from .reading import codes, problems

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "aliases within aliases": (BOMB, "too-many-nodes"),
    "many aliases": ("a: &a x\nb: [" + "*a," * 101 + "]", "too-many-aliases"),
    "aliases that add up to a depth": (
        "k0: &k0 [x]\n" + "".join(f"k{i}: &k{i} [[[*k{i - 1}]]]\n" for i in range(1, 40)),
        "too-deep",
    ),
    "10,000 brackets": ("[" * 10_000, "too-deep"),
    "10,000 braces": ("{a: " * 10_000, "too-deep"),
    "10,000 levels of block": ("".join(" " * i + "a:\n" for i in range(1000)), "too-deep"),
    "a python object": ("a: !!python/object/apply:os.system [ls]", "tag"),
    "values without end": ("[" + "1," * 150_000 + "]", "too-many-nodes"),
}


def cpu_s(work: Callable[[], object]) -> float:
    """What it takes of a processor, in seconds: the same however busy the machine is."""
    start = time.process_time()
    work()
    return time.process_time() - start


def refused(file: Path) -> None:
    """Load a file that is refused."""
    with pytest.raises(ManifestError):
        load_file(file)


@pytest.mark.torture
@pytest.mark.parametrize("name", HOSTILE)
def test_C1_a_hostile_text_is_rejected_in_time_and_memory(name: str) -> None:
    text, code = HOSTILE[name]
    tracemalloc.start()
    found = [problem.code for problem in problems(text)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    took_s = min(cpu_s(lambda: problems(text)) for _ in range(3))

    assert code in found
    assert peak < 50_000_000
    assert took_s < (0.1 if "without end" not in name else 3.0)


@pytest.mark.torture
def test_C1_a_file_of_100_mb_is_rejected_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    with file.open("wb") as stream:
        stream.truncate(100_000_000)

    with pytest.raises(ManifestError) as caught:
        load_file(file)

    assert caught.value.problems[0].code == "too-big"
    assert min(cpu_s(lambda: refused(file)) for _ in range(3)) < 0.1


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{i}: 1\n" for i in range(40_000)),
        "{" + ",".join(f"k{i}: 1" for i in range(40_000)) + "}",
        "jobs:\n" + "".join(f"  j{i}: {{needs: [j{i ^ 1}, x{i}]}}\n" for i in range(5_000)),
        "name: " + " " * 1_000_000 + "!x y",
        "token" * 200_000 + ": [",
    ],
    ids=["lines", "one line", "circles", "spaces", "a long word"],
)
def test_a_text_with_endless_problems_ends_soon(text: str) -> None:
    start = time.process_time()

    found = problems(text)

    assert 0 < len(found) <= 250
    assert time.process_time() - start < 10


def test_a_text_over_one_mebibyte_is_rejected() -> None:
    assert codes("#" * (1 << 20) + "\n") == ["1:1 too-big"]


def test_50_levels_are_read_and_51_are_not() -> None:
    assert not any("too-deep" in code for code in codes("[" * 50 + "]" * 50))
    assert any("too-deep" in code for code in codes("[" * 51 + "]" * 51))
