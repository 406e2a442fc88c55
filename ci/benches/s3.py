"""Cases against the S3-like server: acdrun at its defaults, rclone at its defaults and well tuned, s5cmd."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.contest import Contest, Goal
from benches.lab import Lab, manifest, same
from benches.local import RCLONE, SMALL
from benches.measure import Cost, Wrong
from benches.stocked import KEYS, Stock, stocked

BUCKET = "bench"
TUNED = "rclone 1.75, 32 transfers"
LISTED = "rclone 1.75, by size, --fast-list"
S5CMD = "s5cmd 2.3"
_TUNED = ("--transfers", "32", "--checkers", "32", "--s3-no-head", "--s3-no-check-bucket", "--checksum")
_PLAIN = ("--s3-no-check-bucket",)


def told(stock: Stock, cost: Cost) -> Cost:
    """With the number of requests it took."""
    return cost._replace(requests=sum(stock.counted().values()))


@contextmanager
def uploads(lab: Lab, latency_s: float = 0) -> Iterator[Contest]:
    """Many small files to a bucket that holds nothing of them."""
    number = lab.count(10_000)
    with lab.room("s3-uploads") as room, stocked() as stock:
        source = room / "source"
        lab.tree("make", source, number, SMALL)
        wanted = lab.tree("stored", source)

        def fresh(side: str, play: Callable[[Path], Cost]) -> Callable[[], Cost]:
            def checked() -> Cost:
                home = room / side
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir()
                stock.clear(BUCKET)
                stock.counted()
                stock.late(latency_s)
                cost = told(stock, play(home))
                stock.late(0)
                same(stock.stored(BUCKET), wanted, side)
                return cost

            return checked

        sides = {
            side: fresh(
                side,
                lambda home, c=checkout: lab.acdrun(
                    home,
                    manifest(home, source, "store:", remotes=stock.remotes(BUCKET)),
                    checkout=c,
                    **KEYS,
                )[0],
            )
            for side, checkout in lab.ours.items()
        }
        for side, flags in ((RCLONE, _PLAIN), (TUNED, _TUNED)) if lab.rclone_new else ():
            words = ["copy", *flags, source, f"s3:{BUCKET}"]
            sides[side] = fresh(
                f"rclone-{len(flags)}",
                lambda home, w=words: lab.rclone(lab.rclone_new, home, *w, **stock.rclone)[0],
            )
        if lab.s5cmd is not None:
            sides[S5CMD] = fresh(
                "s5cmd", lambda home: lab.s5cmd_run(home, stock.url, "cp", f"{source}/", f"s3://{BUCKET}/")
            )
        goals = [Goal("wall_s", 0.5, TUNED)]
        goals += [] if latency_s else [Goal("cpu_s", 0.4, TUNED)]
        goals.append(Goal("peak_bytes", 0, f"+{TUNED}"))
        wait = f", {latency_s * 1000:.0f} ms for each request" if latency_s else ""
        yield Contest(f"{number:,} uploads of 4 KiB to a bucket{wait}", sides, tuple(goals))


@contextmanager
def downloads(lab: Lab) -> Iterator[Contest]:
    """Many small objects to a disk that holds nothing of them."""
    number = lab.count(10_000)
    with lab.room("s3-downloads") as room, stocked() as stock:
        source = room / "source"
        lab.tree("make", source, number, SMALL)
        wanted = lab.tree("stored", source)
        stock.fill(BUCKET, source)

        def fresh(side: str, play: Callable[[Path], Cost]) -> Callable[[], Cost]:
            def checked() -> Cost:
                home = room / side
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir()
                stock.counted()
                cost = told(stock, play(home))
                same(lab.tree("stored", home / "to"), wanted, side)
                return cost

            return checked

        sides = {
            side: fresh(
                side,
                lambda home, c=checkout: lab.acdrun(
                    home,
                    manifest(home, "store:", home / "to", remotes=stock.remotes(BUCKET)),
                    checkout=c,
                    **KEYS,
                )[0],
            )
            for side, checkout in lab.ours.items()
        }
        for side, flags in ((RCLONE, _PLAIN), (TUNED, _TUNED)) if lab.rclone_new else ():
            sides[side] = fresh(
                f"rclone-{len(flags)}",
                lambda home, f=flags: lab.rclone(
                    lab.rclone_new, home, "copy", *f, f"s3:{BUCKET}", home / "to", **stock.rclone
                )[0],
            )
        if lab.s5cmd is not None:
            sides[S5CMD] = fresh(
                "s5cmd",
                lambda home: lab.s5cmd_run(home, stock.url, "cp", f"s3://{BUCKET}/*", f"{home / 'to'}/"),
            )
        goals = (Goal("wall_s", 0.5, TUNED), Goal("peak_bytes", 0, f"+{TUNED}"))
        yield Contest(f"{number:,} downloads of 4 KiB from a bucket", sides, goals)


@contextmanager
def big(lab: Lab, size: int = 2 << 30) -> Iterator[Contest]:
    """One large file, which goes in parts."""
    size = size // 32 if lab.small else size
    with lab.room("s3-big") as room, stocked() as stock:
        source = room / "source"
        lab.tree("make_big", source / "big", size)
        wanted = lab.tree("stored", source)

        def fresh(side: str, play: Callable[[Path], Cost]) -> Callable[[], Cost]:
            def checked() -> Cost:
                home = room / side
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir()
                stock.clear(BUCKET)
                stock.counted()
                cost = told(stock, play(home))
                same(stock.stored(BUCKET), wanted, side)
                stock.clear(BUCKET)
                return cost

            return checked

        sides = {
            side: fresh(
                side,
                lambda home, c=checkout: lab.acdrun(
                    home,
                    manifest(home, source, "store:", remotes=stock.remotes(BUCKET)),
                    checkout=c,
                    **KEYS,
                )[0],
            )
            for side, checkout in lab.ours.items()
        }
        if lab.s5cmd is not None:
            sides[S5CMD] = fresh(
                "s5cmd", lambda home: lab.s5cmd_run(home, stock.url, "cp", f"{source}/", f"s3://{BUCKET}/")
            )
        if lab.rclone_new is not None:
            words = ["copy", *_TUNED, "--s3-upload-concurrency", "8", source, f"s3:{BUCKET}"]
            sides[TUNED] = fresh(
                "rclone", lambda home: lab.rclone(lab.rclone_new, home, *words, **stock.rclone)[0]
            )
        title = f"one file of {size >> 20:,} MiB to a bucket"
        yield Contest(title, sides, (Goal("wall_s", 0.9, S5CMD), Goal("peak_bytes", 0, f"+{TUNED}")))


@contextmanager
def listing(lab: Lab) -> Iterator[Contest]:
    """All keys of a large bucket, each told."""
    number = lab.count(1_000_000)
    with lab.room("s3-listing") as room, stocked() as stock:
        stock.seed(BUCKET, number)
        stock.walk(BUCKET)
        home = room / "home"
        home.mkdir()

        def counted(play: Callable[[], tuple[Cost, int]]) -> Callable[[], Cost]:
            def checked() -> Cost:
                stock.counted()
                cost, lines = play()
                if lines < number:
                    raise Wrong(f"{lines:,} of {number:,} keys were told")
                return told(stock, cost)

            return checked

        def lines_of(said: tuple[Cost, str]) -> tuple[Cost, int]:
            return said[0], said[1].count("\n")

        sides: dict[str, Callable[[], Cost]] = {}
        for side, checkout in lab.ours.items():
            place = room / f"listing-{side}"
            place.mkdir()
            file = manifest(place, "store:", place / "to", remotes=stock.remotes(BUCKET))
            sides[side] = counted(
                lambda c=checkout, p=place, f=file: lines_of(
                    lab.acdrun(p, "ls", "-q", "-f", f, "store:", checkout=c, **KEYS)
                )
            )
        if lab.rclone_new is not None:
            words = ["lsf", "-R", "--files-only", "--fast-list", "--s3-no-check-bucket", f"s3:{BUCKET}"]
            sides[TUNED] = counted(lambda: lines_of(lab.rclone(lab.rclone_new, home, *words, **stock.rclone)))
        if lab.s5cmd is not None:
            sides[S5CMD] = counted(
                lambda: lines_of(lab.s5cmd_told(home, stock.url, "ls", f"s3://{BUCKET}/*"))
            )
        goals = (Goal("wall_s", 0.4, TUNED), Goal("peak_bytes", 0, f"+{TUNED}"))
        yield Contest(
            f"listing {number:,} keys", sides, goals, notes=("the tuned rclone lists with --fast-list",)
        )


@contextmanager
def noop(lab: Lab) -> Iterator[Contest]:
    """Nothing to do, a disk and a bucket."""
    number = lab.count(100_000)
    with lab.room("s3-noop") as room, stocked() as stock:
        source = room / "source"
        lab.tree("make", source, number, SMALL)
        stock.fill(BUCKET, source)
        before = stock.stored(BUCKET)

        def idle(
            side: str, play: Callable[[Path], tuple[Cost, str]], *, exact: bool = False
        ) -> Callable[[], Cost]:
            home = room / side
            home.mkdir()
            play(home)

            def checked() -> Cost:
                stock.counted()
                cost, said = play(home)
                counts = stock.counted()
                if exact and "nothing to do" not in said:
                    raise Wrong(f"there was something to do:\n{said[-2000:]}")
                if exact and (counts.get("LIST"), counts.get("HEAD")) != (max(1, number // 1000), None):
                    raise Wrong(f"it asked for {counts}")
                same(stock.stored(BUCKET), before, side)
                return cost._replace(requests=sum(counts.values()))

            return checked

        sides = {
            side: idle(
                side,
                lambda home, c=checkout: lab.acdrun(
                    home, manifest(home, source, "store:", remotes=stock.remotes(BUCKET)), checkout=c, **KEYS
                ),
                exact=True,
            )
            for side, checkout in lab.ours.items()
        }
        if lab.rclone_new is not None:
            for side, flags in ((RCLONE, ()), (LISTED, ("--size-only", "--fast-list", "--checkers", "32"))):
                words = ["sync", *_PLAIN, *flags, source, f"s3:{BUCKET}"]
                sides[side] = idle(
                    f"rclone-{len(flags)}",
                    lambda home, w=words: lab.rclone(lab.rclone_new, home, *w, **stock.rclone),
                )
        goals = (
            Goal("wall_s", 0.15, RCLONE),
            Goal("wall_s", 0.6, LISTED),
            Goal("peak_bytes", 0, f"+{LISTED}"),
        )
        yield Contest(f"nothing to do, {number:,} files of 4 KiB in a bucket, by checksum", sides, goals)
