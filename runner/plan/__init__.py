"""From two listings to wanted operations: small graph, big relation."""
