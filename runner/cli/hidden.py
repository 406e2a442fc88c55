"""Typing, or pasting, what nobody is to see."""

import codecs
import os
import sys
import termios
from collections.abc import Callable

_LONGEST = 1 << 16


def read_hidden(prompt: Callable[[], None]) -> str:
    """A line of the terminal without its echo.

    The standard library's own cuts a line after 4,095 bytes, as terminals do in their usual mode, and the
    token of a log-in may be longer. Raises EOFError at Ctrl-D on an empty line.
    """
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        prompt()
        return _line(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        sys.stderr.write("\n")
        sys.stderr.flush()


def _line(descriptor: int) -> str:
    text = ""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while len(text) < _LONGEST:
        for char in decoder.decode(os.read(descriptor, 1)):
            match char:
                case "\n" | "\r":
                    return text
                case "\x04":  # Ctrl-D
                    if not text:
                        raise EOFError
                case "\x7f" | "\b":
                    text = text[:-1]
                case "\x15":  # Ctrl-U
                    text = ""
                case _:
                    text += char
    return text
