"""`acdrun about REMOTE:`: how much room there is."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.exits import Exit

if TYPE_CHECKING:
    from runner.model.backend import Quota


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print total, used and free, as far as the service tells, in the columns of rclone."""
    args = looking("about", "Show how much room a remote has.").parse_args(list(argv))
    quota = asyncio.run(_quota(args.place, args.file))
    if args.json:
        from runner.report.json import outcome_record

        output.record({"record": "quota", **quota._asdict()})
        output.record(outcome_record(Exit.CONVERGED))
        return Exit.CONVERGED
    for name, size in quota._asdict().items():
        if size is not None:
            output.say(f"{f'{name.capitalize()}:':<9}{in_units(size)}")
    return Exit.CONVERGED


async def _quota(place: str, file: str | None) -> "Quota":
    from runner.cli.place import opened

    async with opened(place, file) as remote:
        return await remote.quota()


def in_units(size: int) -> str:
    """Bytes as rclone's `about` writes them: "17 GiB", "7.444 GiB", "512 B"."""
    number, unit = float(size), "B"
    for greater in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if number < 1024:
            break
        number, unit = number / 1024, greater
    return f"{number:.0f} {unit}" if number == int(number) else f"{number:.3f} {unit}"
