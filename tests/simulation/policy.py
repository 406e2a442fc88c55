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
}
"""How a call of each verb can be spoilt; see `Service`."""

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

    @property
    def proves(self) -> bool:
        """Is stored content proven, and never compared by its size and time alone?"""
        listed = self.fields["src"]["algorithms"] or self.fields["dst"]["algorithms"]
        by_hash = self.checksum["compare"] == "hash" or (self.checksum["compare"] == "auto" and listed)
        return bool(by_hash) and self.checksum["verify"] != "none"

    def jobs(self) -> dict[str, Any]:
        """As a manifest writes them."""
        guard = {**OPEN_GUARD, "source": {"empty": "refuse"}} if self.guarded else OPEN_GUARD
        pairs = [
            {
                "source": f"src:{ends.source}",
                "destination": f"dst:{ends.destination}",
                "mode": self.mode,
                "checksum": self.checksum,
                "guard": guard,
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
    )
