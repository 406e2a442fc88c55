-- A node of a remote in one of the folders it stands in. Only a cache of what the change feed has told.
CREATE TABLE entry (
    parent      TEXT NOT NULL,     -- id of the folder; whether that stands anywhere is its own entry's affair
    id          TEXT NOT NULL,     -- of the node
    name        ANY NOT NULL,      -- text; bytes of UTF-8 with surrogates where it is no valid text
    kind        INTEGER NOT NULL,  -- 0 a file, 1 a folder, 2 anything else
    size        INTEGER NOT NULL,  -- bytes
    mtime_ns    INTEGER,           -- of the content, since 1970
    algorithm   TEXT,              -- of the checksum the listings carry
    digest      TEXT,              -- of that checksum
    generation  TEXT NOT NULL,     -- this one state of the node
    changed_ns  INTEGER,           -- the service's own clock, since 1970
    PRIMARY KEY (parent, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_id ON entry (id);

-- How far the feed has been read; no row when it has to be read from its beginning.
CREATE TABLE feed (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    top     TEXT NOT NULL,         -- id of the folder that all paths begin at
    cursor  TEXT NOT NULL          -- where to go on
) STRICT;

-- When a full listing below a folder last showed what the entries say.
CREATE TABLE compared (
    path    BLOB NOT NULL PRIMARY KEY, -- from the top, UTF-8
    at_s    INTEGER NOT NULL           -- since 1970
) STRICT, WITHOUT ROWID;
