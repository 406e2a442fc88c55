-- How often runs of this machine have written to the same destinations.
CREATE TABLE lineage (
    scope   TEXT PRIMARY KEY,   -- digest of all that such a run may write to
    id      TEXT NOT NULL,      -- a random name for this history, which no other machine has
    serial  INTEGER NOT NULL,   -- runs that have written
    writer  TEXT NOT NULL       -- label of the latest of them, "" before the first
) STRICT, WITHOUT ROWID;
