"""The process: `acdrun`, and `python -m runner`."""

import sys

from runner.model.importing import begin


def main() -> int:
    """Carry out the command line of the process, and return its exit code."""
    begin()
    from runner.cli.main import main as carry_out

    return carry_out()


if __name__ == "__main__":
    sys.exit(main())
