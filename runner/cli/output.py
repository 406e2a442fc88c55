"""The one door to the terminal: results to stdout, everything else to stderr."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from runner.report.line import Line, Tone

_COLOURS: dict[Tone, str] = {
    "head": "1", "add": "32", "change": "33", "move": "36", "trash": "31",
    "block": "35", "same": "2", "dim": "2", "warn": "33", "error": "1;31",
}  # fmt: skip


class Output:
    """Writes lines. A reader that goes away (`| head`) is no error: what follows is not written.

    gone: nobody reads stdout any more; failed: because it takes nothing, as when its disk is full.
    quiet: results are left out, problems and errors are not.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.quiet = False
        self.gone = False
        self.failed = False
        self._environ = environ
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a letter gets its escape instead of a crash.
            if reconfigure := getattr(stream, "reconfigure", None):
                reconfigure(errors="backslashreplace")

    def say(self, *lines: Line | str) -> None:
        """Lines of the result."""
        self.stream(lines)

    def stream(self, lines: Iterable[Line | str]) -> None:
        """Lines of the result, as long as somebody reads them."""
        painted: bool | None = None
        for line in lines:
            if self.gone:
                return
            if isinstance(line, str):  # of which a listing has millions
                self._write(sys.stdout, line)
                continue
            if painted is None:
                painted = colours(sys.stdout, self._environ)
            self._write(sys.stdout, _painted(line, painted))

    def tell(self, line: Line | str) -> None:
        """A line of progress or diagnosis."""
        self._write(sys.stderr, _painted(line, colours(sys.stderr, self._environ)))

    def record(self, record: Mapping[str, Any]) -> None:
        """One JSON line."""
        if not self.gone:
            self._write(sys.stdout, json.dumps({"v": 1, **record}, ensure_ascii=True, separators=(",", ":")))

    def text(self, text: str) -> None:
        """Text of the result that has its line ends already."""
        self._write(sys.stdout, text, end="")

    def data(self, data: bytes) -> None:
        """Bytes of the result, as they are, after all that was said before."""
        if self.gone or sys.stdout is None:
            return
        raw = getattr(sys.stdout, "buffer", None)
        try:
            sys.stdout.flush()
            if raw is None:
                sys.stdout.write(data.decode("utf-8", "surrogateescape"))
            else:
                raw.write(data)
        except OSError as error:
            self._lost(sys.stdout, error)

    def flush(self) -> None:
        """Everything said so far goes out."""
        self._write(sys.stdout, "", end="")
        self._write(sys.stderr, "", end="")

    def _write(self, stream: TextIO | None, text: str, end: str = "\n") -> None:
        if stream is None:  # closed by whoever started us
            return
        try:
            stream.write(text + end)
            if not text or stream is sys.stderr:
                stream.flush()
        except OSError as error:
            self._lost(stream, error)

    def _lost(self, stream: TextIO, error: OSError) -> None:
        _close(stream)
        if stream is not sys.stdout:
            return
        self.gone = True
        if not isinstance(error, BrokenPipeError):
            self.failed = True
            self.tell(Line(f"acdrun: error: the result cannot be written: {error.strerror}", "error"))


def colours(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """May colours be sent there? Source: no-color.org, force-color.org."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal(stream) and environ.get("TERM") not in (None, "", "dumb")


def lively(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Can a region of this stream be drawn over and over?"""
    return colours(stream, {"TERM": environ.get("TERM", "")}) and not environ.get("CI")


def terminal(stream: TextIO | None) -> bool:
    """Is somebody looking at it?"""
    return stream is not None and stream.isatty()


def _painted(line: Line | str, painted: bool) -> str:
    if isinstance(line, str):
        return line
    if not painted or not line.tone:
        return line.text
    return f"\x1b[{_COLOURS[line.tone]}m{line.text}\x1b[0m"


def _close(stream: TextIO) -> None:
    """What is left in the stream's buffer goes nowhere, so that its end is quiet too."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass  # the stream has no descriptor
