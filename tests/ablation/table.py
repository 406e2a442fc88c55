"""All that can be taken out of the program, and the tests that then have to fail (G9)."""

from tests.ablation.early import EARLY
from tests.ablation.guards import GUARDS
from tests.ablation.plans import PLANS
from tests.ablation.rules import RULES

ABLATIONS = (*RULES, *GUARDS, *EARLY, *PLANS)
