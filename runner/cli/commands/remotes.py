"""`acdrun remotes`: which there are, whether they are logged in, and whether one keeps its word."""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.errors import AcdrunError, UsageError
from runner.model.exits import Exit
from runner.model.path import show
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.model.config import RemoteConfig


def run(argv: Sequence[str], output: Output) -> Exit:
    """List the remotes, or check one."""
    parser = Parser(
        "remotes",
        "[-f FILE] [check NAME]",
        "List your remotes, or check a live one by every rule that backends have to keep.",
    )
    parser.add_argument("-f", "--file", metavar="FILE", help="a manifest that declares remotes")
    parser.add_argument("--yes", action="store_true", help="check without asking first")
    parser.add_argument("words", nargs="*", metavar="check NAME", help="the remote to check")
    args = parser.parse_intermixed_args(list(argv))
    match args.words:
        case []:
            code = _list(args.file, args.json, output)
        case ["check", name]:
            code = _check(name.removesuffix(":"), args.file, args.yes, args.json, output)
        case _:
            raise UsageError("there is `acdrun remotes` and `acdrun remotes check NAME`")
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


def _list(file: str | None, json: bool, output: Output) -> Exit:
    from pathlib import Path

    from runner.backends.registry import kind_of
    from runner.manifest.load import load
    from runner.manifest.remotes import remotes_file, user_remotes

    remotes = {**user_remotes(), **(load(Path(file)).remotes if file else {})}
    rows = [("name", "type", "root", "login")]
    for name, config in remotes.items():
        rows.append((name, kind_of(config), config.root or "-", _login(name, config)))
        if json:
            output.record({"record": "remote", **dict(zip(rows[0], rows[-1], strict=True))})
    if json:
        return Exit.CONVERGED
    if len(rows) == 1:
        output.tell(f"there are no remotes in {file or remotes_file()}; `acdrun config` makes one")
        return Exit.CONVERGED
    widths = [max(len(show(row[column])) for row in rows) for column in range(4)]
    for number, row in enumerate(rows):
        text = "  ".join(f"{show(cell):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        output.say(Line(text, "" if number else "head"))
    return Exit.CONVERGED


def _login(name: str, config: "RemoteConfig") -> str:
    """Whether there is a way in; nothing is contacted."""
    from runner.backends import registry
    from runner.cli.sign_in import told
    from runner.remote.tokens import TokenStore
    from runner.state.home import state_dir

    provider = registry.provider(registry.kind_of(config), config)
    if provider is None:
        return "none needed"
    if provider.token is not None:
        return "by the token of its configuration"
    try:
        token = TokenStore(state_dir(), name).load()
    except AcdrunError as error:
        return f"refused: {error.message}"
    return f"needed: acdrun login {name}" if token is None else told(token)


def _check(name: str, file: str | None, yes: bool, json: bool, output: Output) -> Exit:
    from runner.cli.named import remote_of
    from runner.state.journal import new_run

    remote_of(name, file)  # is there one?
    folder = f"acdrun-check-{new_run()}"
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                f"a check writes to {name}:{folder}", hint="give --yes where nobody can be asked"
            )
        from runner.cli.ask import Ask

        ask = Ask("acdrun remotes check NAME --yes")
        question = f"Make {name}:{folder}, write about 1,500 small files in it, and trash it afterwards?"
        if not ask.sure(question, default=False):
            return Exit.CONVERGED
    return asyncio.run(_rules(name, folder, file, json, output))


async def _rules(name: str, folder: str, file: str | None, json: bool, output: Output) -> Exit:
    from runner.backends.contract import RULES
    from runner.cli.place import opened

    broken = 0
    async with opened(f"{name}:", file) as remote:
        try:
            for number, rule in enumerate(RULES, 1):
                place = remote.at(f"{folder}/{number}")
                await place.mkdirs()
                why = ""
                try:
                    await rule(place)
                except (AssertionError, AcdrunError) as error:
                    why = show(str(error).partition("\n")[0]) or "not so"
                broken += bool(why)
                words = rule.__name__.replace("_", " ")
                if json:
                    output.record({"record": "rule", "rule": rule.__name__, "kept": not why, "why": why})
                else:
                    output.say(Line(f"{'!' if why else '='} {words}{': ' if why else ''}{why}",
                                    "error" if why else "same"))  # fmt: skip
        finally:
            await remote.trash(folder)
    if not json:
        output.say(f"{len(RULES) - broken} of {len(RULES)} rules are kept; {name}:{folder} is in the trash")
    return Exit.FAILED if broken else Exit.CONVERGED
