"""What the machine can do at all: the floor below which no run gets."""

import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benches.lab import Lab

FILES = 200_000
ROWS = 1_000_000
FLUSHES = 200


def told(lab: Lab, *, markdown: bool) -> str:
    """One line for each limit."""
    with lab.room("limits") as room:
        found = [
            ("walk with stat, one thread", walk(lab, room)),
            ("MD5, one core", digest("md5")),
            ("SHA-256, one core", digest("sha256")),
            ("flush of one new file where the data is", flush(room)),
            ("a row into SQLite, in one commit", rows(room)),
            ("start of the interpreter", start(lab, room)),
        ]
    line = "| {} | {} |" if markdown else "{:<42} {}"
    head = [line.format("limit", "here"), line.format("---", "---")] if markdown else []
    return "\n".join([*head, *(line.format(*one) for one in found)])


def walk(lab: Lab, room: Path) -> str:
    """Microseconds a file."""
    number = lab.count(FILES)
    lab.tree("make", room / "tree", number, 0)
    lab.walked(room, room / "tree")
    cost = lab.walked(room, room / "tree")
    return f"{cost.wall_s / number * 1e6:.1f} us a file, {number:,} files in {cost.wall_s:.2f} s"


def digest(name: str) -> str:
    """GB a second of one thread."""
    piece, digester = os.urandom(1 << 20), hashlib.new(name)
    took = timed(lambda: [digester.update(piece) for _ in range(512)])
    return f"{512 * len(piece) / took / 1e9:.2f} GB/s"


def flush(room: Path) -> str:
    """Files a second that are made, written and flushed, one after the other."""

    def one(number: int) -> None:
        descriptor = os.open(room / f"flush-{number}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, b"x" * 4096)
        os.fsync(descriptor)
        os.close(descriptor)

    took = timed(lambda: [one(number) for number in range(FLUSHES)])
    return f"{took / FLUSHES * 1e6:.0f} us, {FLUSHES / took:,.0f} a second"


def rows(room: Path) -> str:
    """Microseconds a row of four columns."""
    database = sqlite3.connect(room / "rows.db", isolation_level=None)
    database.execute(
        "CREATE TABLE row (id INTEGER PRIMARY KEY, name TEXT, size INTEGER, time INTEGER) STRICT"
    )
    made = ((number, f"file-{number:07}.dat", 4096, 1_600_000_000 + number) for number in range(ROWS))

    def work() -> None:
        database.execute("BEGIN")
        database.executemany("INSERT INTO row VALUES (?, ?, ?, ?)", made)
        database.execute("COMMIT")

    took = timed(work)
    database.close()
    return f"{took / ROWS * 1e6:.1f} us"


def start(lab: Lab, room: Path) -> str:
    """Milliseconds of a bare start."""
    from benches.measure import run

    took = sorted(
        run([sys.executable, "-c", "pass"], lab.environment(room), room, lab.clock)[0] for _ in range(15)
    )
    return f"{took[7].wall_s * 1000:.0f} ms"


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
