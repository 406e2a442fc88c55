"""What outlives a run, in SQLite and lock files below the state directory."""
