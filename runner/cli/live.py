"""The live region: a few lines at the bottom of a terminal that are drawn over and over."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from runner.cli.watch import Watch
from runner.report.line import Line, Tone

_STYLES: dict[Tone, str] = {"head": "bold", "warn": "yellow", "error": "bold red", "dim": "dim"}


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:
        return (
            False  # a process that leaves at once, at the second Ctrl-C, could not bring a hidden cursor back
        )


class _Region:
    def __init__(self) -> None:
        self.watch: Watch | None = None

    def __rich__(self) -> Group:
        lines = self.watch.lines() if self.watch is not None else []
        return Group(*(_text(line) for line in lines))


@contextlib.contextmanager
def live(*, verbose: bool, stages: bool, colour: bool) -> Iterator[Watch]:
    """A watch whose lines are drawn four times a second; problems and notes stay above them."""
    console = _Console(
        file=sys.stderr, no_color=not colour, highlight=False, markup=False, emoji=False, soft_wrap=True
    )
    region = _Region()
    shown = Live(
        region,
        console=console,
        refresh_per_second=4,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    region.watch = Watch(lambda line: console.print(_text(line, wrap=True)), verbose=verbose, stages=stages)
    with shown:
        yield region.watch


def _text(line: Line, *, wrap: bool = False) -> Text:
    """Names are data: nothing in them is markup."""
    return Text(
        line.text, _STYLES.get(line.tone, ""), overflow="fold" if wrap else "ellipsis", no_wrap=not wrap
    )
