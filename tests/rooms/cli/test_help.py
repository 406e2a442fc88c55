import importlib
import subprocess
import sys

import pytest

from runner.cli.verbs import VERBS
from runner.model.exits import Exit
from tests.rooms.cli.conftest import Acdrun

HEAVY = {
    "pydantic", "httpx", "networkx", "rich", "yaml", "asyncio", "sqlite3", "tenacity", "pathspec", "filelock",
    "importlib.metadata",
}  # fmt: skip


@pytest.mark.parametrize("argv", [["--help"], ["--version"], [], ["verify"]], ids=" ".join)
def test_a_quick_answer_imports_nothing_heavy(argv: list[str]) -> None:
    code = (
        f"import sys; from runner.cli.main import main; main({argv!r}); print(*sys.modules, file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = done.stderr.splitlines()[-1].split()
    assert "runner.cli.main" in loaded
    assert HEAVY & set(loaded) == set()


def test_the_help_names_every_verb_and_exit_code(acdrun: Acdrun) -> None:
    ended = acdrun("--help")

    assert ended.code == 0
    for word in VERBS:
        assert f"\n  {word} " in ended.out
    for code in Exit:
        assert f"{int(code):>5}  {code.meaning}" in ended.out


def test_no_line_of_the_help_is_too_long_for_a_terminal(acdrun: Acdrun) -> None:
    ended = acdrun("--help")

    assert max(map(len, ended.out.splitlines())) <= 100


@pytest.mark.parametrize("word", VERBS)
def test_every_verb_has_its_file_and_its_help(word: str, acdrun: Acdrun) -> None:
    module = importlib.import_module(f"runner.cli.commands.{word}")

    ended = acdrun(word, "--help")

    assert callable(module.run)
    assert ended.code == 0
    assert ended.out.startswith("usage: ")
    assert ended.err == ""


def test_help_of_a_verb_can_be_asked_for_in_words(acdrun: Acdrun) -> None:
    assert acdrun("help", "graph") == acdrun("graph", "--help")
    assert acdrun("help") == acdrun("--help")


def test_without_arguments_a_short_help_stands_on_stderr(acdrun: Acdrun) -> None:
    ended = acdrun()

    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("usage: acdrun [--plan] FILE...\n")


def test_the_version_is_one_line(acdrun: Acdrun) -> None:
    from runner import __version__

    assert acdrun("--version") == (0, f"acdrun {__version__}\n", "")
