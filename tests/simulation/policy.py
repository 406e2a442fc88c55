"""What a seed decides before anything happens: the job, the places, and how much goes wrong."""

import random
from dataclasses import dataclass
from typing import Any

FAULTS = {
    "list": ("before", "throttled", "half", "twice", "stale"),
    "stat": ("before", "throttled"),
    "read": ("before", "throttled", "half", "after"),
    "put": ("before", "throttled", "half", "late", "after", "after", "wrong digest", "rot"),
    "mkdir": ("before", "throttled", "after"),
    "move": ("before", "throttled", "after"),
    "trash": ("before", "throttled", "after"),
    "trashed": ("before", "throttled"),
    "kept": ("before", "throttled"),
    "restore": ("before", "throttled", "after"),
    "identity": ("before", "throttled"),
}
"""How a call of each verb can be spoilt; see `Service`."""

ONCE = ("list", "identity", "trashed")
"""Asked once: whoever asks does not try again, but for what a wire below it does."""

HARSH = ("stale", "twice", "rot")
"""What a run may rightly end badly for, however seldom it happens."""

UNGENTLE = ("stale", "twice")
"""What so much is excused by that a gentle world has none of it."""

OPEN_GUARD = {"source": {"empty": "allow"}, "trash": {"max": "100%"}, "overwrite": {"max": "100%"}}


@dataclass(frozen=True, slots=True)
class Ends:
    """One pair: where it reads and where it writes, as paths on the two remotes."""

    name: str
    source: str
    destination: str


@dataclass
class Policy:
    """The job of one seed.

    rate: part of the calls that is spoilt; gentle: never so often or so badly that a run may fail for it.
    others: somebody else writes to both places meanwhile. guarded: the pairs keep a guard on the source.
    clashing: names that cannot be kept in step are made too. folds, weak: of the destination.
    limits: of the guard, small ones; {} for none that could ever speak. undoes: runs are taken back now and then.
    verifies: at the end the destination is damaged, and has to be found so.
    """

    mode: str
    pairs: list[Ends]
    fields: dict[str, dict[str, Any]]
    checksum: dict[str, Any]
    rate: float
    gentle: bool
    others: bool
    guarded: bool
    clashing: bool
    folds: bool
    weak: bool
    saved: bool
    twins: bool
    deadly: float
    renames: str
    case: str
    limits: dict[str, dict[str, Any]]
    undoes: bool
    verifies: bool

    @property
    def proves(self) -> bool:
        """Is stored content proven, and never compared by its size and time alone?"""
        listed = self.fields["src"]["algorithms"] or self.fields["dst"]["algorithms"]
        by_hash = self.checksum["compare"] == "hash" or (self.checksum["compare"] == "auto" and listed)
        return bool(by_hash) and self.checksum["verify"] != "none"

    @property
    def most_trashed(self) -> int:
        """Files that a run may trash in one pair."""
        return int(self.limits.get("trash", {}).get("max_files", 1000))

    @property
    def fewest(self) -> int:
        """Files that the source of a pair has to hold."""
        return int(self.limits.get("source", {}).get("min_files", 0))

    def jobs(self) -> dict[str, Any]:
        """As a manifest writes them."""
        guard = {**OPEN_GUARD, **self.limits}
        source = {**guard["source"], **({"empty": "refuse"} if self.guarded else {})}
        pairs = [
            {
                "source": f"src:{ends.source}",
                "destination": f"dst:{ends.destination}",
                "mode": self.mode,
                "checksum": self.checksum,
                "guard": {**guard, "source": source},
                "renames": self.renames,
                "case": self.case,
            }
            for ends in self.pairs
        ]
        return {"job": {"pairs": pairs}}


def policy(chance: random.Random) -> Policy:
    """Draw one."""
    folds = chance.random() < 0.25
    ours = chance.choice(([], ["md5"], ["md5"]))
    theirs = chance.choice(([], ["md5"], ["md5"], ["sha256", "md5"]))
    times = chance.choice((1, 1, 1_000_000_000, None))
    compare = chance.choice(("auto", "hash", "time"))
    if compare == "time" and times is None:
        compare = "hash"
    if compare == "auto" and times is None and not ours and not theirs:
        compare = "hash"  # size alone would call different contents equal, and rightly so
    two = chance.random() < 0.3
    pairs = [Ends("one", "p", "q"), Ends("two", "p2", "q2")] if two else [Ends("one", "", "")]
    gentle = chance.random() < 0.5
    return Policy(
        mode=chance.choice(("mirror", "mirror", "copy")),
        pairs=pairs,
        fields={
            "src": {"algorithms": ours},
            "dst": {"algorithms": theirs, "mtime_ns": times, "folds": folds},
        },
        checksum={"compare": compare, "verify": chance.choice(("server", "server", "readback", "none"))},
        rate=chance.choice((0.0, 0.1, 0.3) if gentle else (0.03, 0.1, 0.3)),
        gentle=gentle,
        others=chance.random() < 0.3,
        guarded=chance.random() < 0.2,
        clashing=chance.random() < 0.12,
        folds=folds,
        weak=chance.random() < 0.15,
        saved=chance.random() < 0.3,
        twins=chance.random() < 0.1,
        deadly=chance.choice((0.0, 0.5, 0.9)),
        renames=chance.choice(("detect", "detect", "ignore")),
        case=chance.choice(("rename", "refuse")) if folds else "refuse",
        limits=_limits(chance) if chance.random() < 0.2 else {},
        undoes=chance.random() < 0.3,
        verifies=chance.random() < 0.4,
    )


def _limits(chance: random.Random) -> dict[str, dict[str, Any]]:
    share = chance.choice(("20%", "50%", "100%"))
    return {
        "source": {"empty": "allow", "min_files": chance.choice((0, 1, 3))},
        "trash": {
            "max": share,
            "max_files": chance.choice((0, 1, 2, 1000)),
            "always": chance.choice((0, 2)),
            "no_history": "allow",
        },
        "overwrite": {"max": share, "always": chance.choice((0, 2))},
    }
