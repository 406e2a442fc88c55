"""How hypothesis looks for counter-examples here."""

import os

from hypothesis import HealthCheck, settings

# A busy machine is no counter-example. In CI the examples are the same each time, so that what fails there
# fails here too; a developer's machine looks for new ones.
settings.register_profile(
    "acdrun",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("acdrun")
