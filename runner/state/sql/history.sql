-- What the last good run of each pair left. Without it the guards that compare with that run are silent once.
CREATE TABLE good (
    pair               TEXT PRIMARY KEY,  -- digest of manifest file, its name, and both places
    run                TEXT NOT NULL,     -- its label
    ended              REAL NOT NULL,     -- seconds since 1970
    filter             TEXT NOT NULL,     -- digest of the pair's filter
    source_files       INTEGER NOT NULL,  -- as listed
    source_bytes       INTEGER NOT NULL,
    destination_files  INTEGER NOT NULL,  -- as the run left them
    destination_bytes  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
