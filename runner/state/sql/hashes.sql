-- Digests of content that was read before, so that it need not be read again. Only a cache.
CREATE TABLE hash (
    place       TEXT NOT NULL,     -- which disk or account the generation belongs to
    generation  TEXT NOT NULL,     -- the one state of one file that was read
    checksum    TEXT NOT NULL,     -- "md5:..."
    used        INTEGER NOT NULL,  -- day it was last asked for, in days since 1970
    PRIMARY KEY (place, generation)
) STRICT, WITHOUT ROWID;
