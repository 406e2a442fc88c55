"""Making trees of files, and telling whether two are the same. Usage: trees.py VERB ARGUMENT...

Each verb is a process of its own, so that the benchmark itself stays small.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

A_FOLDER = 100
PIECE = 1 << 20


def make(top: str, number: str, size: str) -> None:
    """Make so many files of so many bytes, a hundred to a folder; no two hold the same, none is new."""
    count, length = int(number), int(size)
    filler = os.urandom(max(0, length - 16))
    for first in range(0, count, A_FOLDER):
        folder = f"{top}/{first // A_FOLDER // 100:03}/{first // A_FOLDER % 100:02}"
        os.makedirs(folder)
        for number_ in range(first, min(first + A_FOLDER, count)):
            path = f"{folder}/file-{number_:07}.dat"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            if length:
                os.write(descriptor, b"%016d" % number_ + filler)
            os.close(descriptor)
            stamp = (1_600_000_000 + number_) * 1_000_000_000
            os.utime(path, ns=(stamp, stamp))


def make_big(path: str, size: str) -> None:
    """Make one file of so many bytes that nothing can compress or leave out."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    filler = os.urandom(PIECE)
    with open(path, "wb") as file:
        for number in range(int(size) // PIECE):
            file.write(b"%016d" % number + filler[16:])
    os.utime(path, ns=(1_600_000_000_000_000_000,) * 2)


def copy(source: str, destination: str) -> None:
    """Copy a tree with its times to the nanosecond."""
    shutil.copytree(source, destination)


def digest(top: str) -> None:
    """Print how many files there are, and a digest of their paths, times and contents."""
    told(top, lambda path, stat: f"{stat.st_size} {stat.st_mtime_ns} {_md5(path)}")


def stored(top: str) -> None:
    """Print how many files there are, and a digest of their paths, sizes and MD5s."""
    told(top, lambda path, stat: f"{stat.st_size} {_md5(path)}")


def standing(top: str) -> None:
    """Print how many files there are, and a digest that changes when any of them is written anew."""
    told(top, lambda path, stat: f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}")


def walk(*tops: str) -> None:
    """Look at every file and do nothing else: what no run can do without."""
    sys.stdout.write(f"{sum(1 for top in tops for _ in files(top))}\n")


def told(top, line) -> None:  # type: ignore[no-untyped-def]
    """Print the number of files and a digest of a line for each, whatever the order of the disk."""
    count, total = 0, 0
    for name, path, stat in files(top):
        one = hashlib.sha256(f"{name} {line(path, stat)}".encode()).digest()
        count, total = count + 1, (total + int.from_bytes(one[:16], "big")) % (1 << 128)
    sys.stdout.write(f"{count} {total:032x}\n")


def files(top: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Every file below a folder: its path from there, its path, its stat. Bookkeeping of acdrun is left out."""
    folders = [""]
    while folders:
        above = folders.pop()
        with os.scandir(f"{top}/{above}") as entries:
            for entry in entries:
                name = f"{above}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".acdrun"):
                        folders.append(f"{name}/")
                else:
                    yield name, entry.path, entry.stat(follow_symlinks=False)


def _md5(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


VERBS = {
    "make": make, "make_big": make_big, "copy": copy,
    "digest": digest, "stored": stored, "standing": standing, "walk": walk,
}  # fmt: skip

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
