"""`acdrun show FILE`: a manifest with every default filled in, or a saved plan."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from runner.cli.journals import is_journal
from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Show what the file means; plans and journals are told by their first bytes."""
    parser = Parser("show", "FILE", "Show a manifest with every default filled in, or a saved plan again.")
    parser.add_argument("file", metavar="FILE", help="a manifest, or what `acdrun --plan --out` has saved")
    parser.add_argument(
        "-f", dest="manifest", metavar="MANIFEST", help="the manifest that has the key of a saved plan"
    )
    args = parser.parse_args(list(argv))
    path = Path(args.file)
    if is_journal(path):
        _show_plan(path, args.manifest, output, as_json=args.json, verbose=args.verbose)
    else:
        _show_manifest(path, output, as_json=args.json)
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(Exit.CONVERGED))
    return Exit.CONVERGED


def _show_plan(path: Path, own: str | None, output: Output, *, as_json: bool, verbose: bool) -> None:
    from runner import app
    from runner.manifest.load import load
    from runner.report.json import plan_records
    from runner.report.plan import plan_lines
    from runner.report.saved import saved_lines, saved_record
    from runner.report.summary import summary
    from runner.state.account import Account
    from runner.state.home import state_dir
    from runner.state.journal import Journal

    manifest = load(Path(own)) if own else None
    with (
        app.opened(path, state_dir(), manifest) as saved,
        contextlib.closing(Journal(saved.copy)) as journal,
        app.doubting(saved),
    ):
        numbers, account = summary(journal), Account(journal)
        if as_json:
            output.record(saved_record(saved, numbers))
            for record in plan_records(numbers, account):
                output.record(record)
        else:
            output.stream(plan_lines(numbers, account, verbose=verbose))
            output.stream(saved_lines(saved, numbers, own))


def _show_manifest(path: Path, output: Output, *, as_json: bool) -> None:
    from runner.manifest.load import load
    from runner.report.effective import effective_text

    manifest = load(path)
    if as_json:
        effective = json.loads(manifest.canonical())["manifest"]
        output.record(
            {"record": "manifest", "file": manifest.file, "digest": manifest.digest, "manifest": effective}
        )
    else:
        output.text(effective_text(manifest))
