"""`acdrun validate FILE...`: check manifests; nothing is contacted."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from runner.cli.errors import ended
from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.errors import ManifestError, Problem
from runner.model.exits import Exit, gravest
from runner.report.amounts import count
from runner.report.line import Line


def run(argv: Sequence[str], output: Output) -> Exit:
    """Check every file, and tell everything that is wrong with any of them."""
    parser = Parser("validate", "FILE...", "Check manifests; nothing is contacted.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a manifest")
    args = parser.parse_intermixed_args(list(argv))
    codes = [_check(file, args.json, args.quiet, output) for file in args.files]
    code = gravest(*codes)
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


def _check(file: str, json: bool, quiet: bool, output: Output) -> Exit:
    from runner.manifest.load import load

    try:
        manifest = load(Path(file))
    except ManifestError as error:
        if json:
            _record(error.problems, output)
        return ended(error, output)
    declared = count(len(manifest.remotes), "remote")
    if json:
        _record(manifest.warnings, output, warning=True)
        numbers = {"jobs": len(manifest.jobs), "pairs": len(manifest.pairs), "remotes": len(manifest.remotes)}
        output.record(
            {"record": "manifest", "file": file, "name": manifest.name, "digest": manifest.digest, **numbers}
        )
        return Exit.CONVERGED
    for warning in manifest.warnings:
        for text in str(warning).splitlines():
            output.tell(Line(text, "warn"))
    if not quiet:
        warned = f", {count(len(manifest.warnings), 'warning')}" if manifest.warnings else ""
        parts = [count(len(manifest.jobs), "job"), count(len(manifest.pairs), "pair"), declared]
        output.say(f"{file}: fine: {', '.join(parts)}{warned}")
    return Exit.CONVERGED


def _record(problems: Iterable[Problem], output: Output, **more: bool) -> None:
    from runner.report.json import problem_record

    for problem in problems:
        output.record({**problem_record(problem), **more})
