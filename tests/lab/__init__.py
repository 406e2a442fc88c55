"""Disposable remotes of every kind, and a backend that fails on request."""

from tests.lab.faulty import Fault, Faulty
from tests.lab.remotes import KINDS, lab

__all__ = ["KINDS", "Fault", "Faulty", "lab"]
