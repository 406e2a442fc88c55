"""Every case, by the name that `ci/bench --only` takes."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from benches import cloud, local, start
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
    "help": lambda lab: start.start(lab, "help", 5),
    "validate": lambda lab: start.start(lab, "validate", 15),
}
