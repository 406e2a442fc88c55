"""Parsing arguments: one parser a verb, with the options that all share."""

import argparse
from datetime import timedelta
from typing import NoReturn

from runner.model.errors import UsageError

SIDES = ("source", "destination")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours. `verb` is "" for a run."""

    def __init__(self, verb: str, usage: str, does: str) -> None:
        prog = f"acdrun {verb}".strip()
        super().__init__(prog=prog, usage=f"{prog} {usage}".strip(), description=does, allow_abbrev=False)
        common = self.add_argument_group("output")
        common.add_argument(
            "--json", action="store_true", help="JSON lines on stdout; the last one is the outcome"
        )
        common.add_argument("-q", "--quiet", action="store_true", help="only problems and errors")
        common.add_argument("-v", "--verbose", action="store_true", help="more of everything")

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(message, hint=f"{self.prog} --help")


def looking(verb: str, does: str) -> Parser:
    """The parser of a verb that works on one place."""
    parser = Parser(verb, "[-f FILE] REMOTE:PATH", does)
    parser.add_argument(
        "place", metavar="REMOTE:PATH", help="a remote and a path in it, or a path of this machine"
    )
    add_file(parser)
    return parser


def add_file(parser: Parser) -> None:
    """Where remotes are looked up first."""
    parser.add_argument("-f", "--file", metavar="FILE", help="a manifest that declares the remote")


def add_plan(parser: Parser) -> None:
    """Options of what can be planned."""
    parser.add_argument(
        "--plan", action="store_true", help="stop before the first write, and show what would change"
    )
    parser.add_argument("--out", metavar="PLAN", help="save the plan, for `acdrun apply PLAN`")
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="with --plan: exit 10 when there are changes"
    )


def only_with_plan(args: argparse.Namespace) -> None:
    """Some options have a meaning for a plan alone. Raises UsageError."""
    for option in ("out", "detailed_exitcode"):
        if getattr(args, option) and not args.plan:
            raise UsageError(f"--{option.replace('_', '-')} goes with --plan")


def add_fresh(parser: Parser) -> None:
    """How what is there is found out."""
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="list remotes whole, and compare the index that is kept of them with what is there",
    )


def add_accepted(parser: Parser) -> None:
    """What may be another place than it was."""
    group = parser.add_argument_group("places")
    for side in SIDES:
        group.add_argument(
            f"--accept-new-{side}",
            action="store_true",
            help=f"take a {side} that is another disk, account or folder than in the last good run",
        )


def add_budgets(parser: Parser) -> None:
    """Options of everything that may write."""
    group = parser.add_argument_group("limits")
    group.add_argument(
        "--max-duration", metavar="TIME", help="start nothing new after this long, such as 2h (exit 11)"
    )
    group.add_argument(
        "--max-transfer", metavar="SIZE", help="start nothing new after this much, such as 100GiB (exit 11)"
    )
    group.add_argument(
        "--wait", metavar="TIME", help="wait this long for another run to end, such as 10m (exit 8)"
    )


def seconds(text: str | None, option: str) -> float | None:
    """A duration as in a manifest, in seconds. Raises UsageError."""
    from runner.model.units import BadQuantity, parse_duration

    if text is None:
        return None
    try:
        span: timedelta = parse_duration(text)
    except BadQuantity as error:
        raise UsageError(f"{option}: {error}", hint=error.hint) from error
    return span.total_seconds()


def size(text: str | None, option: str) -> int | None:
    """A size as in a manifest, in bytes. Raises UsageError."""
    from runner.model.units import BadQuantity, parse_size

    if text is None:
        return None
    try:
        return parse_size(text)
    except BadQuantity as error:
        raise UsageError(f"{option}: {error}", hint=error.hint) from error
