"""Every backend keeps every rule."""

import asyncio

import pytest

from runner.backends.contract import RULES, Rule
from tests.lab import KINDS, lab


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind: str, rule: Rule) -> None:
    async def run() -> None:
        async with lab(kind) as remote:
            await rule(remote)

    asyncio.run(run())


def test_every_rule_says_what_it_claims() -> None:
    assert [rule.__name__ for rule in RULES if not rule.__doc__] == []
