"""The one table of exit codes."""

from enum import IntEnum


class Exit(IntEnum):
    """What the process says when it ends; scripts and CI branch on it.

    Source: design §6; 130 and 143 are 128 + the number of the signal, as a shell reports it.
    """

    CONVERGED = 0, "converged, or a plan was made"
    FAILED = 1, "at least one operation failed for good"
    USAGE = 2, "usage or manifest error; nothing was contacted"
    INCOMPLETE = 3, "some entries were unreadable, changed while read, or blocked; the rest is safe"
    REFUSED = 4, "a guard refused; nothing was changed, or nothing was removed"
    STALE = 5, "the saved plan is no longer true"
    DENIED = 6, "login needed or permission denied"
    TEMPORARY = 7, "temporary: remote down, throttled or full after the retry budget"
    LOCKED = 8, "locked by another run"
    DAMAGED = 9, "verification found damage or drift"
    PENDING = 10, "changes pending (only with --plan --detailed-exitcode)"
    BUDGET = 11, "time or byte budget used up; run again to go on"
    INTERRUPTED = 130, "interrupted (SIGINT)"
    TERMINATED = 143, "terminated (SIGTERM)"

    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> "Exit":
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


SEVERITY = (
    Exit.INTERRUPTED,
    Exit.TERMINATED,
    Exit.USAGE,
    Exit.LOCKED,
    Exit.STALE,
    Exit.REFUSED,
    Exit.DAMAGED,
    Exit.DENIED,
    Exit.FAILED,
    Exit.TEMPORARY,
    Exit.BUDGET,
    Exit.INCOMPLETE,
    Exit.PENDING,
    Exit.CONVERGED,
)
"""Gravest first: a run that met several of these ends with the first of them."""


def gravest(*codes: Exit) -> Exit:
    """The code to end with when several apply; CONVERGED when none does."""
    return min(codes, key=SEVERITY.index, default=Exit.CONVERGED)
