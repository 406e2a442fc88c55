"""`acdrun move SRC DST`: copy, then take each file whose copy is proven out of the source."""

from collections.abc import Sequence

from runner.cli.output import Output
from runner.model.exits import Exit

_DOES = (
    "Copy what is in SRC into DST; when all of it is there and proven, move the files of SRC to its trash. "
    "Folders stay."
)


def run(argv: Sequence[str], output: Output) -> Exit:
    """Plan and run a manifest of this one pair."""
    from runner.cli.copying import one_off

    return one_off("move", argv, output, _DOES)
