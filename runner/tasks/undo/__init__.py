"""The tasks of an undo: a run whose source is what an earlier run trashed, replaced and moved.

An operation's `source` and `ours` are generation and digest of what stood at the path before that run; source
is None where nothing did. `destination` and `digest` are those of what the run left there; destination is None
where it left nothing, "" where its generation was never written down.
"""
