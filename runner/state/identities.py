"""Which places the two sides of a pair led to: when it last went well, and in this run."""

from collections.abc import Collection, Mapping

from runner.state.journal import Journal


class Identities:
    """What the two sides of one pair are known by; sides are "source" and "destination".

    last: identity by side in the last good run; accepted: sides that may be another place this once.
    """

    def __init__(
        self, journal: Journal, pair: str, last: Mapping[str, str], accepted: Collection[str] = ()
    ) -> None:
        self._journal = journal
        self._pair = pair
        self.last = last
        self.accepted = accepted

    def seen(self, side: str) -> str:
        """What this run, or the plan that it applies, saw there last; "" for nothing."""
        return self._journal.places(self._pair).get(side, "")

    def saw(self, side: str, identity: str) -> None:
        """Write down what stands there now; "" for nothing."""
        self._journal.saw(self._pair, side, identity)
