"""Making a plan and showing it, whatever it is a plan of."""

import shlex
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from runner import app
from runner.cli.carry import carry_out
from runner.cli.output import Output
from runner.manifest.manifest import Manifest
from runner.model.exits import Exit, gravest
from runner.report.json import plan_records, problem_record
from runner.report.line import Line, only_problems
from runner.report.plan import plan_lines
from runner.report.summary import Summary, summary
from runner.report.text import outcome_lines


def planned(manifest: Manifest, args: Namespace, options: app.Options, output: Output, again: str) -> Exit:
    """Plan it, report, and save it where that is asked for. again: the command that does it."""
    out = Path(args.out) if args.out else None

    def report(result: app.Result) -> Exit:
        numbers = summary(result.journal)
        if args.json:
            warn(manifest, args, output)
            for record in plan_records(numbers, result.account):
                output.record(record)
            return _code(args, result, numbers)
        lines = plan_lines(numbers, result.account, verbose=args.verbose, warnings=manifest.warnings)
        output.stream(only_problems(lines) if args.quiet else lines)
        ending = _ending(result.code, numbers, again, _apply(manifest, out) if out is not None else "")
        output.stream(only_problems(ending) if args.quiet else ending)
        return _code(args, result, numbers)

    return carry_out(partial(app.plan, manifest, out=out), options, args, output, report)


def warn(manifest: Manifest, args: Namespace, output: Output) -> None:
    """What is allowed in the manifest, and surely not meant."""
    for warning in manifest.warnings:
        if args.json:
            output.record({**problem_record(warning), "warning": True})
        output.tell(Line(f"acdrun: warning: {warning.place}: {warning.message}", "warn"))


def _code(args: Namespace, result: app.Result, numbers: Summary) -> Exit:
    pending = args.detailed_exitcode and numbers.changes
    return gravest(result.code, Exit.PENDING) if pending else result.code


def _apply(manifest: Manifest, out: Path) -> str:
    """The command that applies the saved plan, on this machine and on another."""
    key = manifest.plan.key
    found = key is None or app.open_name(key.model_dump(mode="json"))
    return shlex.join(["acdrun", "apply", *([] if found else ["-f", manifest.file]), str(out)])


def _ending(code: Exit, numbers: Summary, again: str, apply: str) -> Iterator[Line]:
    """How the plan ended, and the next command to type. apply: "" for a plan that is not saved."""
    yield from outcome_lines(code, numbers)
    if code is Exit.REFUSED and apply:
        yield Line("  it was not saved: what a guard refuses cannot be applied", "dim")
    if code not in (Exit.CONVERGED, Exit.INCOMPLETE):
        return
    if apply:
        yield Line(f"saved; to apply exactly this:  {apply}")
    elif numbers.changes:
        accepted = "".join(f" --accept {mark}" for mark in numbers.accepted)
        yield Line(f"to do it:  {again}{accepted}")
