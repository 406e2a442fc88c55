-- Folders whose digests were asked for and not known, until those of their files are.
CREATE TEMP TABLE IF NOT EXISTS asked (
    place        TEXT NOT NULL,
    folder       TEXT NOT NULL,
    algorithm    TEXT NOT NULL,
    print        BLOB NOT NULL,
    generations  TEXT NOT NULL,    -- of its files, in the order of the listing, one a line
    PRIMARY KEY (place, folder, algorithm)
) STRICT;
