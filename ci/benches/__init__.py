"""The benchmark behind ci/bench and ci/profile: what is measured, against whom, and how the figures are told."""
