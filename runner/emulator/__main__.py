"""`python -m runner.emulator`."""

import sys

from runner.emulator import main

if __name__ == "__main__":
    sys.exit(main())
