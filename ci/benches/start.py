"""Cases of a program that has hardly begun when it ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from benches.contest import Contest, Goal
from benches.lab import Lab
from benches.measure import run

BARE = "python -c pass"
LINES = 300


@contextmanager
def start(lab: Lab, case: str, most: float) -> Iterator[Contest]:
    """A command against the bare interpreter."""
    with lab.room("start") as room:
        long_manifest(room)
        words = ["--help"] if case == "help" else ["validate", "long.yaml"]
        sides = {
            side: lambda c=checkout: lab.acdrun(room, *words, checkout=c)[0]
            for side, checkout in lab.ours.items()
        }
        sides[BARE] = lambda: run([sys.executable, "-c", "pass"], lab.environment(room), room, lab.clock)[0]
        for side in sides.values():
            side()
        title = "acdrun --help" if case == "help" else f"acdrun validate, a manifest of {LINES} lines"
        yield Contest(title, sides, (Goal("wall_s", most, BARE),), rounds=1 if lab.small else 15)


def long_manifest(folder: Path) -> Path:
    """Write `long.yaml`, a manifest of 300 lines with everything that one usually says."""
    (folder / "photos").mkdir(exist_ok=True)
    pair = {
        "source": "photos", "destination": "", "mode": "mirror", "checksum": "careful", "guard": "strict",
        "filter": [{"exclude": "**/.cache/"}, {"exclude": "*.tmp"}, {"include": {"smaller_than": "20GiB"}}],
    }  # fmt: skip
    made = {
        "version": 1,
        "name": "long",
        "remotes": {
            "cloud": {"type": "amazon cloud drive", "server": "embedded", "limits": {"bandwidth": "20MiB/s"}},
            "disk": {"type": "local", "path": "mnt"},
        },
        "policies": {
            "checksum": {"careful": {"compare": "hash", "verify": "readback", "sample": "5%"}},
            "guard": {"strict": {"source": {"min_files": 10}, "trash": {"max": "5%", "max_files": 200}}},
        },
        "defaults": {"retry": {"attempts": 4, "calls": 5, "backoff": "1s..2m", "budget": "20m"}},
        "jobs": {},
    }
    number = 0
    while len(text := yaml.safe_dump(made, sort_keys=False).splitlines()) < LINES:
        number += 1
        side = "cloud" if number % 2 else "disk"
        made["jobs"][f"job-{number}"] = {"pairs": [{**pair, "destination": f"{side}:job-{number}"}]}  # type: ignore[index]
    path = folder / "long.yaml"
    path.write_text("\n".join(text) + "\n")
    return path
