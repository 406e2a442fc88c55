"""Telling a saved plan from a manifest, whatever the two are called."""

from pathlib import Path

_SQLITE = b"SQLite format 3\0"


def is_journal(path: Path) -> bool:
    """Is it a saved plan, or the journal of a run? False for what cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # reading it as a manifest says what is wrong
