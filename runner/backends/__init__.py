"""One room per kind of storage; none knows another."""
