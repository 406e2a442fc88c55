"""`--include` and `--exclude`: the filter of a one-off, in the order in which it was typed."""

import re
from argparse import Namespace

from pydantic import ValidationError

from runner.cli.options import Parser
from runner.manifest.rules import Rule
from runner.model.errors import UsageError
from runner.model.path import show

_SPECIAL = re.compile(r"[*?\[\]\\]")


def add_filters(parser: Parser) -> None:
    """Both options, repeatable."""
    group = parser.add_argument_group("filter (the first that matches decides)")
    for option, text in (
        ("include", "what this matches takes part; with no --exclude beside it, nothing else does"),
        ("exclude", "what this matches is left out; a folder that is left out is not entered"),
    ):
        group.add_argument(
            f"--{option}",
            action="append",
            dest="filters",
            metavar="GLOB",
            type=lambda glob, option=option: (option, glob),  # type: ignore[misc]
            help=text,
        )


def rules_of(args: Namespace, only: str = "", *, enter: bool = True) -> tuple[Rule, ...]:
    """The rules that were typed. Raises UsageError.

    only: the one file that is meant at all, "" for all. enter: are folders entered to look for what is included?
    """
    typed: list[tuple[str, str]] = args.filters or []
    try:
        rules = [Rule.model_validate({option: glob}) for option, glob in typed]
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"the filter is not valid: {reason}") from error
    if typed and all(option == "include" for option, _ in typed):
        rules += [*([Rule(include="*/")] if enter else []), Rule(exclude="**")]
    if only:
        left_out = [rule for rule in rules if not rule.admits]
        rules = [*left_out, Rule(include="/" + literal(only)), Rule(exclude="**")]
    return tuple(rules)


def literal(name: str) -> str:
    """The glob that matches this name and nothing else."""
    if "\n" in name or "\r" in name:
        raise UsageError(f"no filter can name the one file {show(name)!r}", hint="copy its folder")
    text = _SPECIAL.sub(r"\\\g<0>", name)
    stripped = text.rstrip(" ")
    return stripped + "\\ " * (len(text) - len(stripped))
