"""For all tests: how hypothesis looks for counter-examples, and that no test knows the secrets of another."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from runner.remote import secrets

# A busy machine is no counter-example. In CI the examples are the same each time, so that what fails there
# fails here too; a developer's machine looks for new ones.
settings.register_profile(
    "acdrun",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("acdrun")


@pytest.fixture(autouse=True)
def no_secrets_of_others() -> Iterator[None]:
    """What a test has registered is masked in every text, and so would be in the texts of those after it."""
    before = set(secrets._known)
    yield
    secrets._known.intersection_update(before)
