"""The fingerprint of a plan: what a person accepts, and what must be found again for it to be carried out."""

import hashlib
import json
from collections.abc import Sequence

from runner.state.journal import Journal

LENGTH = 12
"""Hex digits that are shown and typed. It tells plans apart; it is no defence against a forger."""

_STAGES = (
    "SELECT id, pair, task FROM stage"
    " WHERE job IN ({marks}) AND effect = 'write' AND pair <> '' ORDER BY pair, task"
)
_OPS = (
    "SELECT path.path, node, size, source, destination, origin FROM op JOIN path ON path.id = op.path"
    " WHERE stage = ? AND op.state = 'planned' ORDER BY op.path"
)


def fingerprint(journal: Journal, jobs: Sequence[str]) -> tuple[str, int]:
    """The fingerprint of what these jobs intend, and how many operations that is.

    It covers the manifest and of each operation the task, path, size, and generation on both sides: the same
    for two runs that list the same. What was found unneeded by hashing is no part of it. Operations are read
    in the order in which their paths were listed, by index, a batch at a time.
    """
    digest, number = hashlib.sha256(journal.header.digest.encode()), 0
    query = _STAGES.format(marks=",".join("?" * len(jobs)))
    for stage, pair, task in journal.database.rows(query, *jobs):
        digest.update(json.dumps([pair, task]).encode() + b"\n")
        for row in journal.database.stream(_OPS, stage):
            digest.update(json.dumps(row).encode() + b"\n")
            number += 1
    return digest.hexdigest()[:LENGTH], number
