"""Every case, by the name that `ci/bench --only` takes."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from benches import cloud, local, s3, start
from benches.contest import Contest
from benches.lab import Lab

CASES: dict[str, Callable[[Lab], AbstractContextManager[Contest]]] = {
    "noop": local.noop,
    "noop-hash": lambda lab: local.noop(lab, "hash"),
    "first": local.first,
    "big": local.big,
    "uploads": cloud.uploads,
    "uploads-20ms": lambda lab: cloud.uploads(lab, 0.02),
    "nightly": cloud.nightly,
    "million": local.million,
    "s3-uploads": s3.uploads,
    "s3-uploads-20ms": lambda lab: s3.uploads(lab, 0.02),
    "s3-downloads": s3.downloads,
    "s3-big": s3.big,
    "s3-listing": s3.listing,
    "s3-noop": s3.noop,
    "help": lambda lab: start.start(lab, "help", 5),
    "validate": lambda lab: start.start(lab, "validate", 15),
}
