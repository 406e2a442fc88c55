-- What a service told of single objects, which its listings leave out. Only a cache.
CREATE TABLE head (
    place       TEXT NOT NULL,     -- which service and bucket the key belongs to
    key         TEXT NOT NULL,
    generation  TEXT NOT NULL,     -- the one state of the object that was asked about
    mtime_ns    INTEGER,           -- modification time that is kept with it, in ns since 1970; NULL for none
    checksum    TEXT,              -- "md5:..." of the whole content; NULL where it is not known
    used        INTEGER NOT NULL,  -- day it was written, in days since 1970
    PRIMARY KEY (place, key)
) STRICT, WITHOUT ROWID;

-- Uploads in parts that are not finished, so that the next run can go on with them, or give them up.
CREATE TABLE upload (
    place       TEXT NOT NULL,
    key         TEXT NOT NULL,
    id          TEXT NOT NULL,     -- the service's name for the upload
    content     TEXT NOT NULL,     -- what would have to be sent for it to be gone on with
    begun       INTEGER NOT NULL,  -- seconds since 1970
    PRIMARY KEY (place, key)
) STRICT, WITHOUT ROWID;
