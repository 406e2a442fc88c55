"""Carrying out a use case: with progress while it goes on, and its report at the end."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from runner import app
from runner.cli.options import SIDES, seconds, size
from runner.cli.output import Output, terminal
from runner.cli.progress import progress
from runner.model.exits import Exit
from runner.report.json import run_records
from runner.report.line import only_problems
from runner.report.summary import summary
from runner.report.text import run_lines
from runner.state.home import state_dir

Case = Callable[[app.Options], Coroutine[Any, Any, app.Result]]


def options_of(args: Namespace) -> app.Options:
    """What the command line says of how a use case is carried out. Raises UsageError, StateError."""
    return app.Options(
        state=state_dir(),
        signals=True,
        wait_lock_s=seconds(args.wait, "--wait") or 0.0,
        deadline_s=seconds(args.max_duration, "--max-duration"),
        most_bytes=size(args.max_transfer, "--max-transfer"),
        new_places=frozenset(side for side in SIDES if getattr(args, f"accept_new_{side}", False)),
    )


def carry_out(
    case: Case,
    options: app.Options,
    args: Namespace,
    output: Output,
    show: Callable[[app.Result], Exit] | None = None,
) -> Exit:
    """Do it and report; show: another report than that of a run. Returns the exit code."""
    with progress(output, json=args.json, verbose=args.verbose) as watch:
        result = asyncio.run(case(replace(options, tell=watch.listener)))
    with result:
        if show is not None:
            return show(result)
        report_run(result, args, output, watch.failed)
    return result.code


def report_run(result: app.Result, args: Namespace, output: Output, told: int = 0) -> None:
    """The report of a run. told: how many problems a person has just seen go by."""
    numbers = summary(result.journal)
    if args.json:
        for record in run_records(numbers, result.account):
            output.record(record)
        return
    seen = told if terminal(sys.stdout) and terminal(sys.stderr) else 0
    lines = run_lines(numbers, result.code, result.account.troubles(), verbose=args.verbose, told=seen)
    output.stream(only_problems(lines) if args.quiet else lines)
