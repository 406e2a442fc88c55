-- Digests of content that was read before, so that it need not be read again. Only a cache.
-- Run again on a file of an older version, so each table is made where it is not there yet.
CREATE TABLE IF NOT EXISTS hash (
    place       TEXT NOT NULL,     -- which disk or account the generation belongs to
    generation  TEXT NOT NULL,     -- the one state of one file that was read
    checksum    TEXT NOT NULL,     -- "md5:..."
    used        INTEGER NOT NULL,  -- day it was last asked for, in days since 1970; a month too early at most
    PRIMARY KEY (place, generation)
) STRICT, WITHOUT ROWID;

-- The digests of all files of a folder as it stood, so that one that stands so still costs one row. Made of `hash`.
CREATE TABLE IF NOT EXISTS folder (
    place       TEXT NOT NULL,     -- as above
    folder      TEXT NOT NULL,     -- which one, for its backend
    algorithm   TEXT NOT NULL,     -- of the digests
    print       BLOB NOT NULL,     -- of the names and generations of its files
    digests     BLOB NOT NULL,     -- one after the other, in the order of the listing that `print` stands for
    PRIMARY KEY (place, folder, algorithm)
) STRICT;

-- When what nobody asks for any more was last removed.
CREATE TABLE IF NOT EXISTS upkeep (
    day         INTEGER NOT NULL   -- in days since 1970
) STRICT;
