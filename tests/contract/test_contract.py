"""Every backend keeps every rule."""

import asyncio
from collections.abc import Iterator

import pytest
from _pytest.mark.structures import ParameterSet

from runner.backends.contract import RULES, Rule
from tests.lab import KINDS, lab
from tests.lab.remotes import STORES

FAULTS = {case: why for store in STORES.values() for case, why in store.FAULTS.items()}


def _cases() -> Iterator[ParameterSet]:
    """Each rule on each kind. A server's own fault is no reason to leave the rule out elsewhere."""
    for kind in KINDS:
        for rule in RULES:
            marks: list[pytest.MarkDecorator] = []
            if any(store.slow(kind, rule.__name__) for store in STORES.values()):
                marks.append(pytest.mark.slow)
            if (why := FAULTS.get((kind, rule.__name__))) is not None:
                marks.append(pytest.mark.xfail(reason=why, run=False))
            yield pytest.param(kind, rule, marks=marks, id=f"{kind}-{rule.__name__}")


@pytest.mark.parametrize(("kind", "rule"), list(_cases()))
def test_contract(kind: str, rule: Rule) -> None:
    async def run() -> None:
        async with lab(kind) as remote:
            await rule(remote)

    asyncio.run(run())


def test_every_rule_says_what_it_claims() -> None:
    assert [rule.__name__ for rule in RULES if not rule.__doc__] == []
