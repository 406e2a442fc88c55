"""`acdrun emulator`: serve an Amazon Cloud Drive from a folder."""

from collections.abc import Sequence

from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Serve until told to stop; the emulator has options of its own."""
    from runner.emulator import main

    output.flush()
    return Exit(main(list(argv)))
