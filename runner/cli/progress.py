"""Showing progress on stderr: a live region on a terminal, a line a minute anywhere else."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

from runner.cli.output import Output, colours, lively, terminal
from runner.cli.watch import Watch
from runner.report.line import Line

EVERY_S = 60.0
"""Without a terminal: often enough that a CI system sees that something goes on, seldom enough for a log."""


@contextlib.contextmanager
def progress(output: Output, *, json: bool, verbose: bool) -> Iterator[Watch]:
    """A watch whose state is shown while the body runs."""
    silent = json or output.quiet
    if not silent and lively(sys.stderr, os.environ):
        from runner.cli.live import live

        with live(
            verbose=verbose, stages=not terminal(sys.stdout), colour=colours(sys.stderr, os.environ)
        ) as watch:
            yield watch
        return
    # Where one person sees both streams, the summary tells why a stage failed.
    apart = not (terminal(sys.stdout) and terminal(sys.stderr))
    watch = Watch(output.tell, verbose=verbose, stages=apart)
    stop = threading.Event()
    clockwork = threading.Thread(target=_each_minute, args=(watch, output, stop), daemon=True)
    if not silent:
        clockwork.start()
    try:
        yield watch
    finally:
        stop.set()
        if not silent:
            clockwork.join()


def _each_minute(watch: Watch, output: Output, stop: threading.Event) -> None:
    while not stop.wait(EVERY_S):
        for line in watch.lines():
            output.tell(Line(f"acdrun: {line.text}"))
