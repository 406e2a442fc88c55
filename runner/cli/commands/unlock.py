"""`acdrun unlock REMOTE: [--run RUN]`: the leases at a remote that hosts share, and taking one away."""

import asyncio
from argparse import Namespace
from collections.abc import Sequence

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.errors import NotFound
from runner.model.exits import Exit
from runner.report.line import Line


def run(argv: Sequence[str], output: Output) -> Exit:
    """Show who holds what, or let a run's leases go that can no longer do so itself."""
    parser = looking(
        "unlock",
        "Show the leases on a remote whose `lock` is `remote`; with --run, take one run's away. A run that is "
        "still alive then stops before its next write.",
    )
    parser.add_argument("--run", metavar="RUN", help="the run whose leases are taken away, as shown")
    args = parser.parse_args(list(argv))
    asyncio.run(_unlock(args, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(Exit.CONVERGED))
    return Exit.CONVERGED


async def _unlock(args: Namespace, output: Output) -> None:
    from runner.cli.place import opened
    from runner.remote.lease import give_up, leases

    async with opened(args.place, args.file) as view:
        remote = view.unwatched()
        found = await leases(remote)
        chosen = [
            lease for lease in found if args.run is None or (lease.holder and lease.holder.run == args.run)
        ]
        if args.run is not None and not chosen:
            raise NotFound(
                f"no lease here is held by run {args.run!r}", hint="acdrun unlock REMOTE: shows them"
            )
        for lease in chosen:
            if args.run is not None:
                await give_up(remote, lease)
            if args.json:
                said = {
                    name: getattr(lease.holder, name, None) for name in ("folder", "run", "host", "since")
                }
                output.record({"record": "lease", **said, "removed": args.run is not None})
            else:
                output.say(Line(f"- {lease}" if args.run is not None else str(lease)))
        if not chosen and not args.json:
            output.say("no leases")
