"""The entry point: which verb, with which arguments, and the exit code it ends with."""

import gc
import os
import resource
import sys
from collections.abc import Sequence
from importlib import import_module

from runner.cli.errors import ended
from runner.cli.help import help_text, short_help
from runner.cli.output import Output
from runner.cli.verbs import COMMON, VERBS
from runner.model.exits import Exit
from runner.model.importing import end


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line, without the program's name, and return its exit code. Nothing is raised.

    argv: None for that of the process, which ends with it.
    """
    # A core would hold every secret that was resolved. Source: reliability.md §7.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # What a run allocates is freed by counting; looking for circles every 700 objects is a tenth of its time.
    gc.set_threshold(50_000, 20, 20)
    words = list(sys.argv[1:] if argv is None else argv)
    output = Output()
    try:
        code = int(_run(words, output))
    except SystemExit as stop:  # argparse has printed a verb's help
        code = stop.code if isinstance(stop.code, int) else 0
    except BaseException as error:
        code = int(ended(error, output, json="--json" in words))
    output.flush()
    code = code or (int(Exit.FAILED) if output.failed else 0)
    if argv is None and _alone():
        os._exit(code)  # all is closed and said; to free every object one by one is a sixtieth of a short run
    return code


def _alone() -> bool:
    """Is no thread left that has something to end?"""
    threading = sys.modules.get("threading")
    return threading is None or threading.active_count() == 1


def _run(words: list[str], output: Output) -> Exit:
    if not words:
        output.tell(short_help())
        return Exit.USAGE
    lead, rest = _leading(words)
    if rest[:1] in (["-h"], ["--help"], ["help"]) and (rest[0] != "help" or not rest[1:]):
        output.text(help_text())
        return Exit.CONVERGED
    if rest[:1] == ["--version"]:
        from runner import __version__

        output.say(f"acdrun {__version__}")
        return Exit.CONVERGED
    if rest[:1] == ["help"]:
        rest = [rest[1], "--help"] if rest[1] in VERBS else rest[1:]
    word = rest[0] if rest else ""
    module = word if word in VERBS else "run"
    command = import_module(f"runner.cli.commands.{module}")
    end()
    code: Exit = command.run(lead + rest[1:] if word in VERBS else words, output)
    return code


def _leading(words: list[str]) -> tuple[list[str], list[str]]:
    """The common options before the first other word, and the rest."""
    for number, word in enumerate(words):
        if word not in COMMON:
            return words[:number], words[number:]
    return words, []
