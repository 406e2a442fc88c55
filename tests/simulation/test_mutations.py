"""G9: with any one rule taken out of the program, a seed fails. A rule that is not missed is not kept either."""

import pytest

from tests.simulation.life import Broken
from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.stage import simulate


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_G9_a_rule_taken_out_is_missed(mutation: Mutation) -> None:
    with mutation.patch():
        for seed in mutation.seeds:
            try:
                simulate(seed)
            except Broken as error:
                if error.promise in mutation.promises:
                    return
    pytest.fail(f"{len(mutation.seeds)} seeds did not miss it")
