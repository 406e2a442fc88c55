"""An Amazon Cloud Drive of one's own: a server that speaks the protocol of the service that is gone.

It stands beside the house and shares no code with the backend that talks to it.
"""

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code.

    argv: the words after the command's name; None takes them from the process.
    """
    from runner.emulator.command import run

    return run(argv)
