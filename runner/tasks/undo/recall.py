"""Recall what a run did."""

from runner.model.task import Task


class Recall(Task):
    """Read the journal of the run and write down what takes each of its changes back."""

    name = "recall"
    effect = "read"
