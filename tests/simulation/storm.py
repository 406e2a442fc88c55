"""A storm of SIGKILLs on the real program: what is lost, shown in part, trashed too early, or sent again.

Two places: a folder of this machine, and an emulator that is a process of its own and survives. What is there
is asked of the disk and of the wire, never of the program.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

CHECKOUT = Path(__file__).resolve().parents[2]
UNDER_WAY = {"file": 4, "batch": 500, "served": 16}
"""Uploads at once in each kind of run: the most that one kill may cost. A batch is one effect of all its files."""

Form = dict[str, tuple[str | None, str | bytes]]

ENOUGH = 6
"""Kills of one round; then the run is left in peace, so that a round has an end."""


@dataclass
class Figures:
    """What a storm came to. lost, partial, early must be 0; extra at most what was under way at the kills.

    midway: kills that met a run which had changed something, and was not done.
    """

    kills: int = 0
    midway: int = 0
    runs: int = 0
    lost: int = 0
    partial: int = 0
    early: int = 0
    extra: int = 0
    allowed: int = 0
    failed: list[str] = field(default_factory=list)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.midway} midway) in {self.runs} runs: {self.lost} contents lost,"
            f" {self.partial} partial files visible,"
            f" {self.early} early trashings, {self.extra} extra uploads (at most {self.allowed} were under way)"
        )

    @property
    def clean(self) -> bool:
        """Was every promise kept?"""
        return not (self.lost or self.partial or self.early or self.failed) and self.extra <= self.allowed


def digest(data: bytes) -> str:
    """As the drive lists it."""
    return hashlib.md5(data).hexdigest()


class Place(ABC):
    """A destination, looked at from outside."""

    name: str

    @abstractmethod
    def fill(self, files: dict[str, bytes]) -> None:
        """Put files there as somebody else would."""

    @abstractmethod
    def live(self) -> dict[str, str]:
        """Digest by path of every visible file but drafts."""

    @abstractmethod
    def kept(self) -> set[str]:
        """Digests of all that is live or in the trash."""

    @abstractmethod
    def stored(self) -> int:
        """How many contents were stored there since it began, whether they were of use or not."""

    @abstractmethod
    def pulse(self) -> int:
        """A number that grows with the work done, cheap to ask for."""

    @abstractmethod
    def job(self) -> dict[str, Any]:
        """Its part of a manifest: `remotes`, and `destination` of the pair."""

    def environment(self) -> dict[str, str]:
        """Its part of the program's environment."""
        return {}


class LocalPlace(Place):
    """A folder. A file that was complete and has another inode later was stored again."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, set[tuple[int, str]]] = {}

    def fill(self, files: dict[str, bytes]) -> None:
        """Write them."""
        for path, data in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)

    def live(self) -> dict[str, str]:
        """Read them all."""
        found = {}
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and not name.startswith(".acdrun-trash/") and not _draft(path.name):
                found[name] = digest(path.read_bytes())
                self._seen.setdefault(name, set()).add((path.stat().st_ino, found[name]))
        return found

    def kept(self) -> set[str]:
        """The trash too."""
        return {digest(path.read_bytes()) for path in self.folder.rglob("*") if path.is_file()}

    def stored(self) -> int:
        """Every state of a name that a look has found, and every draft that was left."""
        self.live()
        drafts = sum(_draft(path.name) for path in self.folder.rglob(".acdrun-*"))
        return drafts + sum(map(len, self._seen.values()))

    def pulse(self) -> int:
        """The names there are, those in the trash too."""
        return sum(1 for _ in self.folder.rglob("*"))

    def job(self) -> dict[str, Any]:
        """A plain path."""
        return {"remotes": {}, "destination": str(self.folder)}


class ServedPlace(Place):
    """A drive behind a process of its own."""

    name = "served"

    def __init__(self, folder: Path, http: httpx.Client, url: str, token: dict[str, Any]) -> None:
        self._folder, self._http, self._url, self._token = folder, http, url, token

    def fill(self, files: dict[str, bytes]) -> None:
        """Through the wire, by hand."""
        (root,) = self._nodes("isRoot:true")
        folders = {"": str(root["id"])}
        for path, data in files.items():
            above, _, name = path.rpartition("/")
            if above not in folders:
                made = self._http.post(
                    "drive/v1/nodes", json={"name": above, "kind": "FOLDER", "parents": [folders[""]]}
                )
                folders[above] = str(made.raise_for_status().json()["id"])
            about = json.dumps({"name": name, "kind": "FILE", "parents": [folders[above]]})
            form: Form = {"metadata": (None, about), "content": (name, data)}
            sent = self._http.post("cdproxy/nodes?suppress=deduplication", files=form)
            sent.raise_for_status()

    def live(self) -> dict[str, str]:
        """Every file that can be reached from the root."""
        folders = {str(node["id"]): node for node in self._nodes("kind:FOLDER")}

        def path(node: dict[str, Any]) -> str:
            above = folders.get(node["parents"][0]) if node.get("parents") else None
            return "" if above is None else f"{path(above)}/{node['name']}".lstrip("/")

        files = (node for node in self._nodes("kind:FILE") if not _draft(node["name"]))
        return {path(node): str(node["contentProperties"]["md5"]) for node in files}

    def kept(self) -> set[str]:
        """Live or trashed."""
        nodes = self._nodes("kind:FILE") + self._nodes("kind:FILE AND status:TRASH")
        return {str(node["contentProperties"]["md5"]) for node in nodes}

    def stored(self) -> int:
        """Every file node there is; nothing is ever purged."""
        nodes = self._nodes("kind:FILE") + self._nodes("kind:FILE AND status:TRASH")
        return len({node["id"] for node in nodes})

    def _nodes(self, filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token = None
        while True:
            asked = {"filters": filters} | ({"startToken": token} if token else {})
            page = self._http.get("drive/v1/nodes", params=asked).raise_for_status().json()
            found += page.get("data", [])
            token = page.get("nextToken")
            if not token:
                return found

    def pulse(self) -> int:
        """The contents on its disk."""
        return sum(1 for path in (self._folder / "content").rglob("*") if path.is_file())

    def job(self) -> dict[str, Any]:
        """A remote at its address."""
        auth = {"token": {"env": "STORM_TOKEN"}}
        remote = {"type": "amazon cloud drive", "server": self._url, "auth": auth}
        return {"remotes": {"cloud": remote}, "destination": "cloud:"}

    def environment(self) -> dict[str, str]:
        """The token."""
        return {"STORM_TOKEN": json.dumps(self._token)}


def _draft(name: str) -> bool:
    return name.startswith(".acdrun-") and name.endswith(".partial")


@contextmanager
def place(kind: str, folder: Path) -> Iterator[Place]:
    """A fresh destination of that kind."""
    if kind == "local":
        folder.mkdir(parents=True)
        yield LocalPlace(folder)
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "runner.emulator", "--dir", str(folder), "--port", "0", "--ready-json",
         "--issue-token", "--watch-stdin"],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        bearer = {"Authorization": f"Bearer {ready['token']['access_token']}"}
        with httpx.Client(base_url=ready["url"], headers=bearer, timeout=60, trust_env=False) as http:
            yield ServedPlace(folder, http, ready["url"], ready["token"])
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=30)


@dataclass
class Round:
    """One destination from its first run until it is what its source is, under fire."""

    there: Place
    top: Path
    chance: random.Random
    files: int
    figures: Figures = field(default_factory=Figures)

    def __post_init__(self) -> None:
        self.durability = self.chance.choice(("file", "batch"))
        names = [f"d{number % 7}/{number}" for number in range(self.files)]
        self.source = {name: f"new {name} ".encode() * (40 + number) for number, name in enumerate(names)}
        self.old = {name: f"old {name} ".encode() * 60 for name in names[:: self.files // 10]}
        self.extras = {f"d1/gone{number}": f"gone {number} ".encode() * 50 for number in range(8)}
        self.wanted = {name: digest(data) for name, data in self.source.items()}
        for name, data in self.source.items():
            (self.top / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.top / "source" / name).write_bytes(data)

    def fight(self, most_kills: int) -> Figures:
        """Kill until it is done, or enough; then let it end."""
        self.there.fill(self.old | self.extras)
        before = self.there.stored()
        at_last = self.there.live()
        while self.figures.kills < most_kills:
            process = self._start()
            if self._over(process):
                self._ended(process)
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.figures.kills += 1
            way = self.durability if self.there.name == "local" else self.there.name
            self.figures.allowed += min(UNDER_WAY[way], self.files)
            live = self._look()
            self.figures.midway += live not in (at_last, self.wanted)
            at_last = live
        else:
            process = self._start()
            process.wait(timeout=300)
            self._ended(process)
        if self._look() != self.wanted:
            self.figures.failed.append("the destination is not what the source is")
        self.figures.extra += max(0, self.there.stored() - before - len(self.source))
        return self.figures

    def _over(self, process: "subprocess.Popen[bytes]") -> bool:
        """Let it work for a while, by the clock or by what it got done; return whether it has ended by itself."""
        ends = time.monotonic() + (self.chance.uniform(0.1, 3.0) if self.chance.random() < 0.2 else 60.0)
        goal = self.there.pulse() + self.chance.randint(1, self.files // 3)
        while time.monotonic() < ends and self.there.pulse() < goal:
            try:
                process.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                continue
            return True
        time.sleep(self.chance.uniform(0.0, 0.05))
        return process.poll() is not None

    def _start(self) -> "subprocess.Popen[bytes]":
        self.figures.runs += 1
        part = self.there.job()
        guard = {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}
        pair = {
            "source": str(self.top / "source"),
            "destination": part["destination"],
            "mode": "mirror",
            "guard": guard,
            "durability": self.durability,
        }
        job = {
            "version": 1,
            "name": "storm",
            "remotes": part["remotes"],
            "jobs": {"storm": {"pairs": [pair]}},
        }
        file = self.top / "storm.yaml"
        file.write_text(json.dumps(job))
        with (self.top / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "runner", str(file)],
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.top),
                    "PYTHONPATH": str(CHECKOUT),
                    "ACDRUN_STATE": str(self.top / "state"),
                    **self.there.environment(),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def _ended(self, process: "subprocess.Popen[bytes]") -> None:
        if process.returncode:
            said = (self.top / "said").read_text(errors="replace")[-500:]
            self.figures.failed.append(f"exit code {process.returncode}: {said}")

    def _look(self) -> dict[str, str]:
        """At what a kill has left, which is returned: I1, I3, I6."""
        live = self.there.live()
        kept = self.there.kept() | set(live.values())
        self.figures.lost += len({digest(data) for data in (self.old | self.extras).values()} - kept)
        for path, found in live.items():
            whole = [some[path] for some in (self.source, self.old, self.extras) if path in some]
            self.figures.partial += found not in map(digest, whole)
        sent = all(live.get(path) == digest(data) for path, data in self.source.items())
        self.figures.early += not sent and not self.extras.keys() <= live.keys()
        return live


def storm(kind: str, kills: int, top: Path, chance: random.Random, *, files: int) -> Figures:
    """Rounds until there were so many kills, each at a fresh destination of that kind."""
    figures, number = Figures(), 0
    while figures.kills < kills:
        number += 1
        here = top / f"{kind}{number}"
        here.mkdir(parents=True)
        with place(kind, here / "destination") as there:
            figures += Round(there, here, chance, files).fight(min(ENOUGH, kills - figures.kills))
        if figures.failed:
            break
    return figures
