"""Match the two listings of a pair."""

from runner.model.task import Feed, Task


class Match(Task):
    """Pair what the two listings show and write down what each pairing needs.

    The listings are matched while they are made; the engine drives all three stages together.
    """

    name = "match"
    effect = "read"
    after = (Feed("list"),)
