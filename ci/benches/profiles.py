"""Where the time of one run went: samples of py-spy, or counts of cProfile, summed by function and by room."""

import marshal
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_FRAME = re.compile(r"(?P<name>.*) \((?P<file>.*?)(?::(?P<line>\d+))?\)")
_PROCESS = re.compile(r"process \d+:.*")


class Function(NamedTuple):
    """name: of the function; file: its path, or "" for one that is built in."""

    name: str
    file: str

    @property
    def room(self) -> str:
        """The part of the program or the library that it belongs to: `runner.state`, `pydantic`, `asyncio`."""
        parts = Path(self.file).parts
        if self.file.startswith("<frozen importlib") or self.file.startswith("importlib/"):
            return "import"
        if found := re.fullmatch(r"<frozen ([\w.]+)>", self.file):
            return found[1].partition(".")[0]
        if "site-packages" in parts:
            return parts[parts.index("site-packages") + 1].removesuffix(".py")
        if "runner" in parts[:-1]:
            below = parts[len(parts) - 1 - parts[::-1].index("runner") :]
            return ".".join(below[:2]).removesuffix(".py")
        for number, part in enumerate(parts[:-1]):
            if re.fullmatch(r"python3\.\d+", part):
                return parts[number + 1].removesuffix(".py")
        return parts[0].removesuffix(".py") if len(parts) == 1 else "built-in" if not parts else "other"

    def __str__(self) -> str:
        parts = Path(self.file).parts
        where = "/".join(parts[-3:] if "runner" in parts[:-1] else parts[-2:])
        return f"{self.name}  {where}" if where else self.name


@dataclass
class Profile:
    """Seconds: own of each function; within of each room, what it called included; total."""

    own: Counter[Function] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)
    total: float = 0.0

    def add(self, stack: Sequence[Function], seconds: float) -> None:
        """One stack, the outermost call first."""
        self.own[stack[-1]] += seconds  # type: ignore[assignment]
        for room in {function.room for function in stack}:
            self.within[room] += seconds  # type: ignore[assignment]
        self.total += seconds

    def rooms(self) -> Counter[str]:
        """Own seconds of each room."""
        found: Counter[str] = Counter()
        for function, seconds in self.own.items():
            found[function.room] += seconds
        return found

    def text(self, top: int) -> str:
        """Two tables: rooms, then functions by their own time."""
        whole = self.total or 1
        lines = ["     own    share   within  room"]
        for room, seconds in self.rooms().most_common():
            if seconds / whole < 0.005:
                break
            within = f"{self.within[room]:7.2f}s" if room in self.within else " " * 8
            lines.append(f"{seconds:7.2f}s  {seconds / whole:6.1%} {within}  {room}")
        lines += ["", "     own    share  function"]
        for function, seconds in self.own.most_common(top):
            lines.append(f"{seconds:7.2f}s  {seconds / whole:6.1%}  {function}")
        return "\n".join(lines)


def sampled(lines: Iterable[str], rate: int) -> Profile:
    """What `py-spy record --format raw` wrote, at so many samples a second."""
    profile = Profile()
    for line in lines:
        text, _, count = line.rstrip().rpartition(" ")
        stack = [_function(frame) for frame in text.split(";") if not _PROCESS.fullmatch(frame)]
        if stack:
            profile.add(stack, int(count) / rate)
    return profile


def counted(file: Path) -> Profile:
    """What cProfile wrote. The time of what is built in counts for who called it; only the main thread is seen."""
    stats = marshal.loads(file.read_bytes())  # what pstats reads, too
    profile = Profile()
    for (path, _, name), (_, _, own, _, callers) in stats.items():
        if path == "~" and callers:
            for (above, _, caller), numbers in callers.items():
                profile.own[Function(caller, "" if above == "~" else above)] += numbers[2]
        else:
            profile.own[Function(name, "" if path == "~" else path)] += own
        profile.total += own
    return profile


def _function(frame: str) -> Function:
    found = _FRAME.fullmatch(frame)
    return Function(found["name"], found["file"]) if found else Function(frame, "")
