"""Everything wrong with one file: collected while it is read, shown in the order of its lines."""

import re
import unicodedata
from typing import NamedTuple, NoReturn

from runner.model.errors import ManifestError, Place, Problem

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as the end of a line
_WIDTH = 100  # characters of a line that are shown
_LONGEST = 2000  # characters of a line beyond which it is no line that a person wrote, and is not shown
_MOST = 200  # problems beyond which nobody reads on

SECRET_KEY = re.compile(
    r"""[\w-]*(?:token|secret|password|passwd|passphrase|credential|credentials|(?<![a-z])key|key_id)["']?""",
    re.I,
)
_LITERAL = re.compile(rf"(?<![\w-])(?:{SECRET_KEY.pattern})\s*:\s+(?![{{\[|>#\s])(.+)", re.I)
_KEY_LINE = re.compile(r"""(?:- )*["']?([\w-]+)["']?\s*:(?:\s|$)""")


class At(NamedTuple):
    """A position in a file; line and column count from 1."""

    line: int
    column: int


class Findings:
    """The text of a file and the problems found in it.

    file: its name as the person wrote it. text: "" for a manifest that has no file; then nothing is shown
        beneath a problem.
    """

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self._lines = _BREAK.split(text)
        self._found: dict[tuple[At, str, str], str] = {}
        self._masks: list[tuple[At, At]] = []
        self._settled: set[At] = set()

    def report(self, at: At, code: str, message: str, hint: str = "") -> None:
        """Note a problem; the same one twice counts once, and one of hundreds is left out."""
        if at not in self._settled and len(self._found) < _MOST:
            self._found.setdefault((at, code, message), hint)

    def settle(self, at: At) -> None:
        """What follows from the problem noted here is no problem of its own."""
        self._settled.add(at)

    def stop(self, at: At, code: str, message: str, hint: str = "") -> NoReturn:
        """Note a problem beyond which nothing can be read."""
        self._found[at, code, message] = hint
        raise ManifestError(self.problems())

    def mask(self, start: At, end: At) -> None:
        """Never show what stands between these: it may be a secret."""
        self._masks.append((start, end))

    def place(self, at: At) -> Place:
        """The position with the file's name."""
        return Place(self.file, at.line, at.column)

    def problem(self, at: At, code: str, message: str, hint: str = "") -> Problem:
        """A problem with its line of the file, ready to be shown."""
        excerpt, caret = self._excerpt(at)
        return Problem(self.place(at), code, message, hint, excerpt, caret)

    def problems(self) -> list[Problem]:
        """All of them, first line first."""
        return [
            self.problem(at, code, message, hint)
            for (at, code, message), hint in sorted(self._found.items(), key=lambda item: item[0][0])
        ]

    def _excerpt(self, at: At) -> tuple[str, int]:
        if not 0 < at.line <= len(self._lines):
            return "", 0
        if len(self._lines[at.line - 1]) > _LONGEST or not self._lines[at.line - 1].strip():
            return "", 0
        line = self._masked(at.line)
        column = min(at.column - 1, len(line))
        # A long line shows what stands around the caret, most of it before.
        start = max(0, column - _WIDTH * 2 // 3) if len(line) > _WIDTH else 0
        before, after = line[start:column], line[column : start + _WIDTH]
        left = "…" if start else ""
        right = "…" if start + _WIDTH < len(line) else ""
        return left + before + after + right, len(left) + sum(map(_cells, before))

    def _masked(self, number: int) -> str:
        line = "".join(
            c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in self._lines[number - 1]
        )
        # A line that could not be understood may still hold a secret, to go by the name before it.
        if literal := _LITERAL.search(line):
            line = line[: literal.start(1)] + "***"
        elif self._continues_secret(number):
            line = "*" * len(line)
        for start, end in self._masks:
            if start.line <= number <= end.line:
                first = start.column - 1 if number == start.line else 0
                last = end.column - 1 if number == end.line else len(line)
                line = line[:first] + "*" * max(0, min(last, len(line)) - first) + line[last:]
        return line

    def _continues_secret(self, number: int) -> bool:
        """Does the nearest key before this line, which has none itself, sound like a secret?"""
        for line in reversed(self._lines[max(0, number - 50) : number]):
            if key := _KEY_LINE.match(line.strip()[:_WIDTH]):
                return line is not self._lines[number - 1] and SECRET_KEY.fullmatch(key[1]) is not None
        return False


def _cells(char: str) -> int:
    """How many cells of a terminal a character takes."""
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
