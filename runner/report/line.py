"""A line of a report: what it says, and in which tone."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

Tone = Literal["", "head", "add", "change", "move", "trash", "block", "same", "dim", "warn", "error"]


class Line(NamedTuple):
    """text: without line ends or control characters; tone: what a terminal may show as a colour."""

    text: str
    tone: Tone = ""


def only_problems(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines that tell of something wrong, each below its heading."""
    heading: Line | None = None
    for line in lines:
        if line.tone == "head":
            heading = line
        elif line.tone in ("block", "warn", "error"):
            if heading is not None:
                yield heading
                heading = None
            yield line
