"""`acdrun rmdir REMOTE:PATH`: take an empty folder away."""

import asyncio
from collections.abc import Sequence

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Move the folder to the trash, if nothing is in it."""
    args = looking("rmdir", "Move an empty folder to the trash.").parse_args(list(argv))
    ref = asyncio.run(_remove(args.place, args.file))
    if args.json:
        from runner.report.json import outcome_record

        output.record({"record": "trashed", "ref": ref})
        output.record(outcome_record(Exit.CONVERGED))
    elif args.verbose:
        output.tell(f"in the trash: {ref}")
    return Exit.CONVERGED


async def _remove(place: str, file: str | None) -> str:
    from runner.cli.place import above
    from runner.model.errors import Blocked, Refused, Stale

    async with above(place, file) as (remote, name):
        node = await remote.stat(name)
        if node.kind != "folder":
            raise Blocked("it is no folder", remote=remote.name, path=name)
        full = Refused(
            "the folder is not empty", remote=remote.name, path=name, hint="rmdir takes empty ones only"
        )
        async for page in remote.list(name):
            if page:
                raise full
        try:
            return await remote.trash(name, expect=node.generation)
        except Stale as error:
            raise full from error
