"""Every backend keeps every rule."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta

import pytest
from _pytest.mark.structures import ParameterSet

from runner.backends.contract import RULES, Rule
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from tests.lab import KINDS, lab
from tests.lab.remotes import STORES

FAULTS = {case: why for store in STORES.values() for case, why in store.FAULTS.items()}

_QUICK = RetryPolicy(
    calls=2, backoff=Backoff(least=timedelta(milliseconds=1), most=timedelta(milliseconds=2))
)
"""For rules that a server is known to break, which it may do with answers that are tried again for minutes."""


def _cases() -> Iterator[ParameterSet]:
    """Each rule on each kind. A server's own fault is no reason to leave the rule out elsewhere.

    It is tried all the same, and has to fail: a server that has mended its fault is told of.
    """
    for kind in KINDS:
        for rule in RULES:
            marks: list[pytest.MarkDecorator] = []
            if any(store.slow(kind, rule.__name__) for store in STORES.values()):
                marks.append(pytest.mark.slow)
            if (why := FAULTS.get((kind, rule.__name__))) is not None:
                marks.append(pytest.mark.xfail(reason=why, strict=True))
            yield pytest.param(kind, rule, marks=marks, id=f"{kind}-{rule.__name__}")


@pytest.mark.parametrize(("kind", "rule"), list(_cases()))
def test_contract(kind: str, rule: Rule) -> None:
    async def run() -> None:
        known = (kind, rule.__name__) in FAULTS
        with retry.following(retry.Retry(_QUICK)) if known else nullcontext():
            async with lab(kind) as remote:
                await rule(remote)

    asyncio.run(run())


def test_every_rule_says_what_it_claims() -> None:
    assert [rule.__name__ for rule in RULES if not rule.__doc__] == []
