"""`acdrun [--plan] FILE...`: bring manifests in step, or say what that would change."""

import difflib
import os
import shlex
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.carry import carry_out, options_of
from runner.cli.journals import is_journal
from runner.cli.options import Parser, add_budgets
from runner.cli.output import Output
from runner.cli.verbs import VERBS
from runner.model.errors import UsageError
from runner.model.exits import Exit, gravest
from runner.model.path import show
from runner.report.line import Line, only_problems

if TYPE_CHECKING:
    from runner.app import Options, Result
    from runner.manifest.manifest import Manifest
    from runner.report.summary import Summary


_OFTEN = {"run": "no verb is needed: acdrun FILE", "sync": "acdrun FILE", "plan": "acdrun --plan FILE"}
"""Words that other programs have here."""


def run(argv: Sequence[str], output: Output) -> Exit:
    """Run or plan every file, one after the other, once all of them are known to be fine."""
    args = _parser().parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    _check(args)
    from runner.manifest.load import load

    manifests = [load(Path(file)) for file in args.files]
    from runner import app

    options = options_of(args)
    code = Exit.CONVERGED
    for manifest in manifests:
        if len(manifests) > 1 and not args.json and not args.quiet:
            output.say(Line(show(manifest.file), "head"))
        if args.plan:
            ended = _plan(manifest, args, options, output)
        else:
            _warn(manifest, args, output)
            ended = carry_out(partial(app.run, manifest), options, args, output)
        code = gravest(code, ended)
        if code in (Exit.INTERRUPTED, Exit.TERMINATED):
            break
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


def _parser() -> Parser:
    parser = Parser("", "[--plan] FILE...", "Bring everything in step that the manifests declare.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="a manifest")
    parser.add_argument(
        "--plan", action="store_true", help="stop before the first write, and show what would change"
    )
    parser.add_argument("--out", metavar="PLAN", help="save the plan, for `acdrun apply PLAN`")
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="with --plan: exit 10 when there are changes"
    )
    add_budgets(parser)
    return parser


def _check(args: Namespace) -> None:
    if not args.files:
        raise UsageError("no manifest is named", hint="acdrun --help")
    for option in ("out", "detailed_exitcode"):
        if getattr(args, option) and not args.plan:
            raise UsageError(f"--{option.replace('_', '-')} goes with --plan")
    if args.out and len(args.files) > 1:
        raise UsageError("--out saves the plan of one manifest", hint="make a plan for each of them")
    for file in args.files:
        if is_journal(Path(file)):
            hint = f"acdrun apply {shlex.quote(file)}, or acdrun show {shlex.quote(file)}"
            raise UsageError(f"{file!r} is a saved plan, not a manifest", hint=hint)
        if not os.path.exists(file) and os.sep not in file and not file.endswith((".yaml", ".yml")):
            near = [file] if file in VERBS else difflib.get_close_matches(file, VERBS, 1)
            hint = f"did you mean the verb `{near[0]}`?" if near else "acdrun --help lists the verbs"
            if file in VERBS:
                hint = f"a verb comes first: acdrun {file} ..."
            hint = _OFTEN.get(file, hint)
            raise UsageError(f"there is no manifest {file!r}", hint=hint)


def _warn(manifest: "Manifest", args: Namespace, output: Output) -> None:
    from runner.report.json import problem_record

    for warning in manifest.warnings:
        if args.json:
            output.record({**problem_record(warning), "warning": True})
        output.tell(Line(f"acdrun: warning: {warning.place}: {warning.message}", "warn"))


def _plan(manifest: "Manifest", args: Namespace, options: "Options", output: Output) -> Exit:
    from runner import app
    from runner.report.plan import plan_lines
    from runner.report.summary import summary

    out = Path(args.out) if args.out else None

    def report(result: "Result") -> Exit:
        from runner.report.json import plan_records

        numbers = summary(result.journal)
        if args.json:
            _warn(manifest, args, output)
            for record in plan_records(numbers, result.account):
                output.record(record)
            return _code(args, result, numbers)
        lines = plan_lines(numbers, result.account, verbose=args.verbose, warnings=manifest.warnings)
        output.stream(only_problems(lines) if args.quiet else lines)
        ending = _ending(result.code, numbers, manifest, out)
        output.stream(only_problems(ending) if args.quiet else ending)
        return _code(args, result, numbers)

    return carry_out(partial(app.plan, manifest, out=out), options, args, output, report)


def _code(args: Namespace, result: "Result", numbers: "Summary") -> Exit:
    pending = args.detailed_exitcode and numbers.changes
    return gravest(result.code, Exit.PENDING) if pending else result.code


def _ending(code: Exit, numbers: "Summary", manifest: "Manifest", out: Path | None) -> Iterator[Line]:
    """How the plan ended, and the next command to type."""
    from runner.report.text import outcome_lines

    yield from outcome_lines(code, numbers)
    if code not in (Exit.CONVERGED, Exit.INCOMPLETE):
        return
    if out is not None:
        yield Line(f"saved; to apply exactly this:  acdrun apply {shlex.quote(str(out))}")
    elif numbers.changes:
        yield Line(f"to do it:  acdrun {shlex.quote(manifest.file)}")
