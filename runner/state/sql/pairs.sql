-- The last good run of each pair. Without it the guards that compare with that run are silent once.
CREATE TABLE good (
    pair               TEXT PRIMARY KEY,  -- digest of manifest file, its name, and both places
    file               TEXT NOT NULL,     -- the manifest's file
    name               TEXT NOT NULL,     -- what it calls the pair
    run                TEXT NOT NULL,     -- label of the run
    source             TEXT NOT NULL,     -- location, as the manifest named it then
    source_is          TEXT NOT NULL,     -- identity of what stood there; "" where that is not known
    destination        TEXT NOT NULL,     -- likewise
    destination_is     TEXT NOT NULL,
    listed             TEXT,              -- label of the last good run that could list all; NULL: there was none
    ended              REAL,              -- of that one, seconds since 1970
    filter             TEXT,              -- digest of the pair's filter then
    source_files       INTEGER,           -- as listed
    source_bytes       INTEGER,
    destination_files  INTEGER,           -- as the run left them
    destination_bytes  INTEGER
) STRICT, WITHOUT ROWID;
