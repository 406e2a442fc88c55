"""Names that are ours wherever they stand, and no user's."""

LEASES = ".acdrun-lock"
"""The folder of leases, at the root of a remote that hosts share. No listing shows it."""
