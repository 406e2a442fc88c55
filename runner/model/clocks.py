"""Whether the clock of this machine is one to decide by. Source: reliability.md §6, the guard on clocks."""

from collections.abc import Iterator, Mapping

from runner.model.show import show_duration
from runner.model.tally import Check

WARN_S = 5 * 60.0
REFUSE_S = 86_400.0


def clock_checks(clocks: Mapping[str, float], by_time: str) -> Iterator[Check]:
    """More than five minutes between two clocks are told; more than a day is refused where times decide.

    clocks: by remote, seconds that its service's clock is ahead. by_time: what times decide, "" for nothing.
    """
    for name, offset_s in clocks.items():
        if abs(offset_s) <= WARN_S:
            continue
        text = f"{differs(name, offset_s)}: one of them is wrong"
        if abs(offset_s) > REFUSE_S and by_time:
            yield Check("clock", "refused", f"{text}, and {by_time}")
        else:
            yield Check("clock", "warn", text)


def differs(name: str, offset_s: float) -> str:
    """Such as "the clock of this machine is 2d behind that of 'cloud'"."""
    way = "behind" if offset_s > 0 else "ahead of"
    return f"the clock of this machine is {show_duration(abs(offset_s))} {way} that of {name!r}"
