-- Work table of this process alone: what planned operations of earlier jobs will change where a later one reads.
CREATE TEMP TABLE IF NOT EXISTS foreseen (
    reader  INTEGER NOT NULL,  -- stage `match` of the pair that reads
    path    TEXT NOT NULL,     -- below its source, folded where that folds names; "" for the source itself
    folder  TEXT,              -- the folder above, likewise; NULL for the source itself
    there   TEXT NOT NULL,     -- the path as it will be spelled
    kind    TEXT NOT NULL,     -- file, folder, gone
    op      INTEGER,           -- the operation; NULL for a folder that is made along with one below it
    PRIMARY KEY (reader, path)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS temp.foreseen_folder ON foreseen (reader, folder);
