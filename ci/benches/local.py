"""Cases on local disks."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.contest import OURS, Contest, Goal
from benches.lab import Lab, manifest, same
from benches.measure import Cost

RCLONE = "rclone 1.75"
SMALL = 4096
BIG = 2 << 30


@contextmanager
def noop(lab: Lab, policy: str = "time") -> Iterator[Contest]:
    """Nothing to do, by time and size."""
    number, flags = lab.count(100_000), ["--checksum"] if policy == "hash" else []
    with lab.room("noop") as room:
        source = room / "source"
        lab.tree("make", source, number, SMALL)
        sides: dict[str, Callable[[], Cost]] = {}
        for side, checkout in lab.ours.items():
            home = lab.copied(room / side, source)
            file = manifest(home, source, home / "to", checksum={"compare": policy})
            sides[side] = settled(
                lab, home, lambda h=home, f=file, c=checkout: lab.acdrun(h, f, checkout=c)[0]
            )
        if (program := lab.rclone_new) is not None:
            home = lab.copied(room / "rclone", source)
            words = ["sync", *flags, source, home / "to"]
            sides[RCLONE] = settled(lab, home, lambda h=home: lab.rclone(program, h, *words)[0])
        title = f"nothing to do, {number:,} files of 4 KiB, compare: {policy}"
        most = 0.1 if policy == "hash" else 0.5
        yield Contest(title, sides, (Goal("wall_s", most, RCLONE),))


def settled(lab: Lab, home: Path, play: Callable[[], Cost]) -> Callable[[], Cost]:
    """A side with nothing to do; played once for warm caches, it must not touch a file from then on."""
    play()
    before = lab.tree("standing", home / "to")

    def checked() -> Cost:
        cost = play()
        same(lab.tree("standing", home / "to"), before, home.name)
        return cost

    return checked


@contextmanager
def first(lab: Lab) -> Iterator[Contest]:
    """The first copy of many small files."""
    number = lab.count(20_000)
    with lab.room("first") as room:
        lab.tree("make", room / "source", number, SMALL)
        title = f"first copy, {number:,} files of 4 KiB"
        yield Contest(title, copies(lab, room), (Goal("wall_s", 0.5, RCLONE), Goal("cpu_s", 0.5, RCLONE)))


@contextmanager
def big(lab: Lab) -> Iterator[Contest]:
    """The first copy of one big file."""
    size = lab.count(BIG) >> 20 << 20
    with lab.room("big") as room:
        lab.tree("make_big", room / "source" / "big.bin", size)
        yield Contest(
            f"first copy, one file of {size >> 20:,} MiB", copies(lab, room), (Goal("wall_s", 0.7, RCLONE),)
        )


def copies(lab: Lab, room: Path) -> dict[str, Callable[[], Cost]]:
    """Sides that copy `room/source` to an empty folder, each time for the first time."""
    source = room / "source"
    wanted = lab.tree("digest", source)

    def fresh(side: str, play: Callable[[Path], Cost]) -> Callable[[], Cost]:
        def checked() -> Cost:
            home = room / side
            shutil.rmtree(home, ignore_errors=True)
            (home / "to").mkdir(parents=True)
            cost = play(home)
            same(lab.tree("digest", home / "to"), wanted, side)
            shutil.rmtree(home)
            return cost

        return checked

    sides = {
        side: fresh(
            side,
            lambda home, c=checkout: lab.acdrun(home, manifest(home, source, home / "to"), checkout=c)[0],
        )
        for side, checkout in lab.ours.items()
    }
    if (program := lab.rclone_new) is not None:
        sides[RCLONE] = fresh(
            "rclone", lambda home: lab.rclone(program, home, "sync", source, home / "to")[0]
        )
    return sides


@contextmanager
def million(lab: Lab) -> Iterator[Contest]:
    """One changed file among a million, and the memory that takes."""
    number, tenth = lab.count(1_000_000), lab.count(100_000)
    with lab.room("million") as room:
        source, less = room / "source", room / "less"
        lab.tree("make", source, number, 0)
        lab.tree("make", less, tenth, 0)
        sides: dict[str, Callable[[], Cost]] = {}

        def changing(top: Path, home: Path, play: Callable[[], Cost]) -> Callable[[], Cost]:
            path, said = "000/00/file-0000007.dat", iter(range(1, 1000))
            play()

            def checked() -> Cost:
                (top / path).write_text("changed " * next(said))
                cost = play()
                same((home / "to" / path).read_text(), (top / path).read_text(), home.name)
                return cost

            return checked

        for side, checkout in lab.ours.items():
            for top in (source, less):
                home = lab.copied(room / f"{side}-{top.name}", top)
                file = manifest(home, top, home / "to", checksum={"compare": "time"})
                name = side if top is source else f"{side}, {tenth:,} files"
                sides[name] = changing(
                    top, home, lambda h=home, f=file, c=checkout: lab.acdrun(h, f, checkout=c)[0]
                )
        home = room / f"{OURS}-{source.name}"
        sides["walk"] = lambda: lab.walked(home, source, home / "to")
        if (program := lab.rclone_new) is not None:
            there = lab.copied(room / "rclone", source)
            words = ["sync", source, there / "to"]
            sides[RCLONE] = changing(source, there, lambda: lab.rclone(program, there, *words)[0])
        goals = (
            Goal("wall_s", 2, "walk"),
            Goal("peak_bytes", 150e6),
            Goal("peak_bytes", 30e6, f"+{OURS}, {tenth:,} files"),
        )
        note = "walk: every file of both trees looked at once, by one thread, and nothing else"
        yield Contest(f"one changed among {number:,} empty files", sides, goals, notes=(note,))
