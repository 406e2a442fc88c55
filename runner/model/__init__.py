"""The words of the house: nodes, checksums, policies, errors, protocols. No I/O."""
