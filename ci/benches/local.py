"""Cases on local disks."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
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
    """One changed file among a million, and the memory that takes. All sides share the two trees."""
    number, tenth = lab.count(1_000_000), lab.count(100_000)
    path, turns = "000/00/file-0000007.dat", iter(range(1, 1_000_000))
    with lab.room("million") as room:
        many, few = room / "many", room / "few"
        for top, count in ((many, number), (few, tenth)):
            top.mkdir()
            lab.tree("make", top / "source", count, 0)
            lab.tree("copy", top / "source", top / "to")
        sides: dict[str, Callable[[], Cost]] = {}

        def changing(top: Path, side: str, play: Callable[[], Cost]) -> Callable[[], Cost]:
            def checked() -> Cost:
                text = "changed " * next(turns)
                (top / "source" / path).write_text(text)
                cost = play()
                same((top / "to" / path).read_text(), text, side)
                return cost

            play()
            return checked

        for side, checkout in lab.ours.items():
            for top, name in ((many, side), (few, f"{side}, {tenth:,} files")):
                home = top / side
                home.mkdir()
                file = manifest(home, top / "source", top / "to", checksum={"compare": "time"})
                turn = partial(played, lab, home, file, checkout)
                sides[name] = changing(top, name, turn)
        sides["walk"] = lambda: lab.walked(room, many / "source", many / "to")
        if (program := lab.rclone_new) is not None:
            words = ["sync", "--exclude", "/.acdrun*/**", many / "source", many / "to"]
            sides[RCLONE] = changing(many, RCLONE, lambda: lab.rclone(program, room, *words)[0])
        goals = (
            Goal("wall_s", 2, "walk"),
            Goal("peak_bytes", 150e6),
            Goal("peak_bytes", 30e6, f"+{OURS}, {tenth:,} files"),
        )
        note = "walk: every file of both trees looked at once, by one thread, and nothing else"
        yield Contest(f"one changed among {number:,} empty files", sides, goals, notes=(note,))


def played(lab: Lab, home: Path, file: Path, checkout: Path) -> Cost:
    """One run of acdrun."""
    return lab.acdrun(home, file, checkout=checkout)[0]
