"""Cases against the emulator."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.contest import OURS, Contest, Goal
from benches.lab import Lab, manifest, same
from benches.local import SMALL, settled
from benches.measure import Cost, Wrong
from benches.served import served

USUAL, TUNED = "rclone 1.60", "rclone 1.60, 32 transfers"


@contextmanager
def uploads(lab: Lab, latency_s: float = 0) -> Iterator[Contest]:
    """Many small files to a drive that holds nothing of them."""
    number = 100 if lab.small else 10_000  # rclone takes 40 ms for each
    with lab.room("uploads") as room, served(lab, room / "drive") as drive:
        source = room / "source"
        lab.tree("make", source, number, SMALL)
        wanted, turns = lab.tree("stored", source), iter(range(1_000_000))
        if latency_s:
            drive.late(latency_s)

        def fresh(side: str, play: Callable[[Path, str], Cost]) -> Callable[[], Cost]:
            def checked() -> Cost:
                home, folder = room / side, f"turn-{next(turns)}"
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir()
                drive.counted()
                cost = play(home, folder)._replace(requests=drive.counted())
                drive.prompt()
                same(drive.stored(folder), wanted, side)
                if latency_s:
                    drive.late(latency_s)
                return cost

            return checked

        def ours(home: Path, folder: str, checkout: Path) -> Cost:
            file = manifest(home, source, f"cloud:{folder}", remotes=drive.remotes)
            return lab.acdrun(home, file, checkout=checkout, ACD_TOKEN=drive.token)[0]

        sides = {
            side: fresh(side, lambda home, folder, c=checkout: ours(home, folder, c))
            for side, checkout in lab.ours.items()
        }
        if (program := lab.rclone_old) is not None:

            def theirs(home: Path, folder: str, *flags: str) -> Cost:
                more = drive.configure(home)
                return lab.rclone(program, home, "copy", *flags, source, f"acd:{folder}", **more)[0]

            sides[USUAL] = fresh("rclone", theirs)
            sides[TUNED] = fresh("rclone-32", lambda home, folder: theirs(home, folder, "--transfers", "32"))
        usual, tuned = (0.03, 0.4) if latency_s else (0.4, 0.6)
        goals = [Goal("wall_s", usual, USUAL), Goal("wall_s", tuned, TUNED)]
        goals += [Goal("cpu_s", 0.4, USUAL), Goal("cpu_s", 0.4, TUNED)]
        wait = f", {latency_s * 1000:.0f} ms for each request" if latency_s else ""
        yield Contest(f"{number:,} uploads of 4 KiB to the emulator{wait}", sides, tuple(goals))


@contextmanager
def nightly(lab: Lab) -> Iterator[Contest]:
    """Nothing to do, at a drive and on the local disk."""
    number, local = lab.count(100_000), f"{OURS}, local"
    with lab.room("nightly") as room, served(lab, room / "drive") as drive:
        source, sides = room / "source", {}
        lab.tree("make", source, number, SMALL)
        wanted = lab.tree("stored", source)
        for side, checkout in lab.ours.items():
            home = room / side
            home.mkdir()
            file = manifest(home, source, f"cloud:{side}", remotes=drive.remotes)

            def play(home: Path = home, file: Path = file, checkout: Path = checkout) -> Cost:
                drive.counted()
                cost, said = lab.acdrun(home, file, checkout=checkout, ACD_TOKEN=drive.token)
                if "nothing to do" not in said:
                    raise Wrong(f"there was something to do:\n{said[-2000:]}")
                return cost._replace(requests=drive.counted())

            lab.acdrun(home, file, checkout=checkout, ACD_TOKEN=drive.token)
            same(drive.stored(side), wanted, side)
            play()
            sides[side] = play
        there = lab.copied(room / "local", source)
        file = manifest(there, source, there / "to", checksum={"compare": "time"})
        sides[local] = settled(lab, there, lambda: lab.acdrun(there, file, checkout=lab.ours[OURS])[0])
        goals = (Goal("wall_s", 1.3, local), Goal("requests", 3))
        yield Contest(f"nothing to do, {number:,} files of 4 KiB at the emulator", sides, goals)
