"""`acdrun mkdir REMOTE:PATH`: make a folder and those above it."""

import asyncio
from collections.abc import Sequence

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Make the folder; one that is there already is left as it is."""
    args = looking("mkdir", "Make a folder, and every folder above it that is missing.").parse_args(
        list(argv)
    )
    asyncio.run(_make(args.place, args.file))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(Exit.CONVERGED))
    return Exit.CONVERGED


async def _make(place: str, file: str | None) -> None:
    from runner.cli.place import opened

    async with opened(place, file, writes=True) as remote:
        await remote.mkdirs()
