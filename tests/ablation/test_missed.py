"""G9: without any one of the rules and guards, a test fails. `ci/ablate` tries them all, this the quick ones."""

import pytest

from tests.ablation.guards import GUARDS
from tests.ablation.rules import RULES
from tests.ablation.table import ABLATIONS
from tests.ablation.trial import tried

PARTS = 2
RULES_TRIED = {one.name[0]: one.name for one in reversed(RULES)}
"""The first of each number."""
QUICK = [*RULES_TRIED.values(), *(one.name for one in GUARDS if not one.slow)]


@pytest.mark.torture
@pytest.mark.parametrize("part", range(PARTS))
def test_G9_a_rule_that_is_taken_out_is_missed(part: int) -> None:
    found = tried(QUICK[part::PARTS])

    assert not {one["name"]: one["survivors"] for one in found if one["survivors"]}


def test_every_ablation_has_a_name_of_its_own_and_names_a_test() -> None:
    assert len({one.name for one in ABLATIONS}) == len(ABLATIONS)
    assert all(one.missed for one in ABLATIONS)
