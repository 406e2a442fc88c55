"""Accept the plan as a whole."""

from runner.model.task import Ended, Task


class Accept(Task):
    """The door between reading and writing: one for all pairs that are planned together.

    It opens when every guard of them has spoken and none has refused, so that a refusal of one
    pair leaves the others unchanged too. A pair that could not be listed holds back itself only.
    It is the last thing that a plan does: whether the plan is accepted is a part of it.
    """

    name = "accept"
    effect = "read"
    after = (Ended("guard"),)
