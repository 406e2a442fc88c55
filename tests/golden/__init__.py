"""Texts that a person reads, as files: what changes in them shows in a review."""

import os
import re
from pathlib import Path

_RUN = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
_TOOK = re.compile(r"(after|\d\d:\d\d  ) ?[0-9.]+(ms|s|m)\b")


def same_as_golden(name: str, text: str, folder: Path) -> None:
    """The text is the one in the file, but for folder, runs and times; ACDRUN_GOLDEN=write makes it so."""
    file = Path(__file__).parent / f"{name}.txt"
    seen = text.replace(str(folder), "/home/me")
    seen = _RUN.sub("RUN", seen)
    seen = _TOOK.sub(r"\1 TOOK", seen)
    seen = _TIME.sub("WHEN", seen)
    if os.environ.get("ACDRUN_GOLDEN") == "write":
        file.write_text(seen)
    assert seen == file.read_text()
