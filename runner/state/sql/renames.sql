-- Work tables of rename detection, of this process alone, for all pairs of a run. Numbers only: a million renames fit.

-- Sizes that some file has that would be trashed, and some that would be sent.
CREATE TEMP TABLE IF NOT EXISTS sized (
    stage  INTEGER NOT NULL,  -- the pair's stage `rename`
    size   INTEGER NOT NULL,  -- bytes
    lost   INTEGER NOT NULL,  -- files that would be trashed
    fresh  INTEGER NOT NULL,  -- files that would be sent
    tried  INTEGER NOT NULL DEFAULT 0,  -- of these, how many were read for it
    PRIMARY KEY (stage, size)
) WITHOUT ROWID;

-- Files that would be trashed and whose digest is known.
CREATE TEMP TABLE IF NOT EXISTS lost (
    stage     INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    digest    INTEGER NOT NULL,  -- its first 60 bits
    op        INTEGER NOT NULL,
    mtime_ns  INTEGER,
    PRIMARY KEY (stage, size, digest, op)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS temp.lost_time ON lost (stage, size, mtime_ns);

-- Files that would be sent and whose digest is known, or believed to be known.
CREATE TEMP TABLE IF NOT EXISTS fresh (
    stage   INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    digest  INTEGER NOT NULL,
    op      INTEGER NOT NULL,
    proven  INTEGER NOT NULL,  -- 0: seen before the file was touched, so it must be read before anything is done
    PRIMARY KEY (stage, size, digest, op)
) WITHOUT ROWID;
