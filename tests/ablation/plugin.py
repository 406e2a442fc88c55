"""Runs tests of a program that lacks a rule: pytest -p tests.ablation.plugin, with ACDRUN_ABLATION naming the rule."""

import contextlib
import os
from typing import Any

import pytest

_STACK = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Take the rule out before any test begins."""
    from tests.ablation import table

    name = os.environ.get("ACDRUN_ABLATION", "")
    if name:
        (ablation,) = [one for one in table.ABLATIONS if one.name == name]
        _STACK.enter_context(ablation.patch())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Put it back."""
    _STACK.close()


class Recorder:
    """Which tests failed, by node id, and which were run."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.ran: set[str] = set()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test that cannot even be set up has failed too."""
        self.ran.add(report.nodeid)
        if report.failed:
            self.failed.add(report.nodeid)
