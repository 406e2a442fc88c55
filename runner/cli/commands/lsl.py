"""`acdrun lsl REMOTE:PATH`: files with size and time, in all folders below."""

from collections.abc import Sequence

from runner.cli.commands.ls import listing
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print size, time and path of every file, in the columns of rclone."""
    does = "List the files of a place with size and time, all folders included."
    return listing("lsl", does, argv, output, timed=True)
