"""A terminal with a program in it and a person in front of it."""

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

PATIENCE_S = 30.0
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`python -m runner ARGS` in a pseudo-terminal of its own session. screen: all that was shown so far."""

    def __init__(self, args: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        self.screen = ""
        self._read = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runner", *args],
            cwd=folder,
            env={**environment, "TERM": "dumb"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def until(self, text: str) -> str:
        """Read on until the text is shown, and return what was shown before it."""
        deadline = time.monotonic() + PATIENCE_S
        while (at := self.screen.find(text, self._read)) < 0:
            if not self._more(deadline - time.monotonic()):
                raise AssertionError(f"{text!r} was not shown after:\n{self.screen[self._read :]}")
        before = self.screen[self._read : at]
        self._read = at + len(text)
        return before

    def type(self, text: str) -> None:
        """Type a line."""
        self.press(text + "\n")

    def press(self, keys: str) -> None:
        """Press keys; "\\x03" is Ctrl-C, "\\x04" Ctrl-D."""
        if keys == "\x03":
            self._wait_until_it_waits()
        os.write(self._master, keys.encode())

    def _wait_until_it_waits(self) -> None:
        """Python loses a signal that comes after `input` is entered and before it waits: nobody is that quick."""
        deadline, calm = time.monotonic() + PATIENCE_S, 0
        status = Path(f"/proc/{self.process.pid}/stat")
        while calm < 10 and time.monotonic() < deadline:
            time.sleep(0.02)
            asleep = not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "S"
            calm = calm + 1 if asleep else 0

    def answer(self, *pairs: tuple[str, str]) -> None:
        """For each pair: wait for the prompt, then type the answer."""
        for prompt, text in pairs:
            self.until(f"{prompt}> ")
            self.type(text)

    def echoes(self) -> bool:
        """Is what is typed shown?"""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._more(deadline - time.monotonic()):
            pass
        return self.process.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        """Take the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux tells the end of the other side so
            return False
        self.screen += _ESCAPES.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
        return bool(data)
