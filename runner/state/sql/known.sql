-- What each pair's source and destination were when the pair last went well. Lost, it is learnt anew.
CREATE TABLE place (
    file      TEXT NOT NULL,     -- the manifest's file
    pair      TEXT NOT NULL,
    side      TEXT NOT NULL,     -- source, destination
    location  TEXT NOT NULL,     -- as the manifest named it then
    identity  TEXT NOT NULL,     -- what stood there
    run       TEXT NOT NULL,     -- label of the run that saw it
    PRIMARY KEY (file, pair, side)
) STRICT, WITHOUT ROWID;
