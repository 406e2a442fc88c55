"""`acdrun [--plan] FILE...`: bring manifests in step, or say what that would change."""

import os
import re
import shlex
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.journals import is_journal
from runner.cli.options import Parser, add_accepted, add_budgets, add_fresh, add_plan, only_with_plan
from runner.cli.output import Output
from runner.cli.verbs import VERBS
from runner.model.errors import UsageError
from runner.model.exits import Exit, gravest
from runner.model.importing import importing
from runner.model.path import show
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.manifest.manifest import Manifest

_FINGERPRINT = re.compile("[0-9a-f]{12}")
_OFTEN = {"run": "no verb is needed: acdrun FILE", "sync": "acdrun FILE", "plan": "acdrun --plan FILE"}
"""Words that other programs have here."""


def run(argv: Sequence[str], output: Output) -> Exit:
    """Run or plan every file, one after the other, once all of them are known to be fine."""
    args = _parser().parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    _check(args)
    with importing():
        from runner.app.hands import hands
        from runner.manifest.load import load
        from runner.state.home import state_dir
    manifests = [load(Path(file)) for file in args.files]
    code = Exit.CONVERGED
    for manifest in manifests:
        with hands(manifest, state_dir()):
            code = gravest(code, _in_step(manifest, args, output))
        if code in (Exit.INTERRUPTED, Exit.TERMINATED):
            break
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


def _in_step(manifest: "Manifest", args: Namespace, output: Output) -> Exit:
    with importing():  # while those who were called get ready
        from runner.app import run
        from runner.cli.carry import carry_out, options_of
        from runner.cli.planning import planned, warn

    options = replace(options_of(args), accepted=frozenset(args.accept), fresh=args.fresh)
    if len(args.files) > 1 and not args.json and not args.quiet:
        output.say(Line(show(manifest.file), "head"))
    if args.plan:
        return planned(manifest, args, options, output, f"acdrun {shlex.quote(manifest.file)}")
    warn(manifest, args, output)
    return carry_out(partial(run, manifest), options, args, output)


def _parser() -> Parser:
    parser = Parser("", "[--plan] FILE...", "Bring everything in step that the manifests declare.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="a manifest")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="PLAN",
        help="carry out, though a guard refuses it, the one plan of this fingerprint, as the refusal shows it",
    )
    add_plan(parser)
    add_fresh(parser)
    add_budgets(parser)
    add_accepted(parser)
    return parser


def _check(args: Namespace) -> None:
    if not args.files:
        raise UsageError("no manifest is named", hint="acdrun --help")
    only_with_plan(args)
    for mark in args.accept:
        if not _FINGERPRINT.fullmatch(mark):
            raise UsageError(
                f"{mark!r} is no fingerprint of a plan",
                hint="the refusal of a plan shows it: 12 digits and letters",
            )
    if args.accept and len(args.files) > 1:
        raise UsageError("--accept is for the plan of one manifest", hint="run that one alone")
    if args.out and len(args.files) > 1:
        raise UsageError("--out saves the plan of one manifest", hint="make a plan for each of them")
    for file in args.files:
        if is_journal(Path(file)):
            hint = f"acdrun apply {shlex.quote(file)}, or acdrun show {shlex.quote(file)}"
            raise UsageError(f"{file!r} is a saved plan, not a manifest", hint=hint)
        if not os.path.exists(file) and os.sep not in file and not file.endswith((".yaml", ".yml")):
            import difflib

            near = [file] if file in VERBS else difflib.get_close_matches(file, VERBS, 1)
            hint = f"did you mean the verb `{near[0]}`?" if near else "acdrun --help lists the verbs"
            if file in VERBS:
                hint = f"a verb comes first: acdrun {file} ..."
            hint = _OFTEN.get(file, hint)
            raise UsageError(f"there is no manifest {file!r}", hint=hint)
