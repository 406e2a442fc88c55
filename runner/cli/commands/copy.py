"""`acdrun copy SRC DST`: copy the content of a folder, or one file, into a folder."""

from collections.abc import Sequence

from runner.cli.output import Output
from runner.model.exits import Exit

_DOES = (
    "Copy what is new or changed in SRC into DST. Nothing is removed; what is overwritten is in the trash."
)


def run(argv: Sequence[str], output: Output) -> Exit:
    """Plan and run a manifest of this one pair."""
    from runner.cli.copying import one_off

    return one_off("copy", argv, output, _DOES)
