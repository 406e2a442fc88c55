-- The journal of one run. A plan is the same file, half full.

-- The run itself: one row.
CREATE TABLE run (
    id        TEXT PRIMARY KEY,          -- label that sorts by time, such as 20260901T020000-k3f9
    name      TEXT NOT NULL,             -- the manifest's name
    file      TEXT NOT NULL,             -- where the manifest was read from; "" for a one-off copy
    manifest  TEXT NOT NULL,             -- its canonical JSON; secrets as references only
    digest    TEXT NOT NULL,             -- SHA-256 of that
    version   TEXT NOT NULL,             -- of acdrun
    state     TEXT NOT NULL,             -- planning, planned, applying, closed
    purpose   TEXT NOT NULL,             -- run, plan, apply, undo, verify, repair, reverify (after a repair)
    created   REAL NOT NULL,             -- seconds since 1970
    ended     REAL,                      -- seconds since 1970; NULL while it goes on, or when it was killed
    exit      INTEGER,                   -- the exit code it ended with
    begun     REAL                       -- seconds since 1970 when it first might write; NULL for a plan
) STRICT;

-- One task of one pair: a vertex of the stage graph.
CREATE TABLE stage (
    id      INTEGER PRIMARY KEY,         -- in topological order
    pair    TEXT NOT NULL,               -- "" for a stage of the whole run
    job     TEXT NOT NULL,
    task    TEXT NOT NULL,
    side    TEXT NOT NULL,               -- source or destination for listings, before or after for hooks, else ""
    effect  TEXT NOT NULL,               -- read, write
    waits   INTEGER NOT NULL,            -- stages it still waits for
    state   TEXT NOT NULL,               -- waiting, open, done, failed, held
    why     TEXT NOT NULL DEFAULT '',    -- what held it, or how it failed
    exit    INTEGER NOT NULL DEFAULT 0   -- the exit code that its own failure calls for
) STRICT;

-- An edge of the stage graph. each, parent and children bind single operations, all and ended
-- whole stages; feed says that two work at the same time.
CREATE TABLE edge (
    before  INTEGER NOT NULL REFERENCES stage,
    after   INTEGER NOT NULL REFERENCES stage,
    how     TEXT NOT NULL,
    PRIMARY KEY (before, after, how)
) STRICT, WITHOUT ROWID;

-- A path that some operation names; its folders are here too when they matter to an edge.
CREATE TABLE path (
    id      INTEGER PRIMARY KEY,
    parent  INTEGER,                     -- row of a folder above that an edge leads from; NULL where none does
    path    TEXT NOT NULL                -- below the pair's root
) STRICT;
CREATE INDEX path_parent ON path (parent) WHERE parent IS NOT NULL;

-- One task at one path.
CREATE TABLE op (
    id           INTEGER PRIMARY KEY,
    stage        INTEGER NOT NULL REFERENCES stage,
    path         INTEGER NOT NULL REFERENCES path,
    node         TEXT NOT NULL,          -- file or folder
    size         INTEGER NOT NULL,       -- bytes of the file
    waits        INTEGER NOT NULL,       -- operations it still waits for
    state        TEXT NOT NULL,          -- planned, taken, done, same, stale, failed, held
    tries        INTEGER NOT NULL DEFAULT 0,
    again        INTEGER NOT NULL DEFAULT 0,  -- 1 when an earlier try may have had its effect
    source       TEXT,                   -- generation seen there; NULL: nothing was there; "(not made yet)": see `made`
    destination  TEXT,                   -- likewise
    mtime_ns     INTEGER,                -- of the source, ns since 1970
    ours         TEXT NOT NULL DEFAULT '',  -- digest of the source, "md5:...", when its listing showed one, or when it was sent
    digest       TEXT NOT NULL DEFAULT '',  -- of the destination, "md5:...", when its listing showed one
    origin       TEXT NOT NULL DEFAULT '',  -- path the node comes from, for a move
    reason       TEXT NOT NULL,          -- the rule that asked for it
    target       TEXT NOT NULL DEFAULT '',  -- path it has at the destination, where it cannot have its own there
    proof        TEXT NOT NULL DEFAULT '',
    ref          TEXT NOT NULL DEFAULT '',  -- what takes a trashed or replaced node back; before an undo, what it brings back
    stored       TEXT NOT NULL DEFAULT '',  -- generation that stands at the destination since
    note         TEXT NOT NULL DEFAULT '',
    kind         TEXT NOT NULL DEFAULT '',  -- kind of the error, in words
    exit         INTEGER NOT NULL DEFAULT 0,
    made         INTEGER                 -- operation of an earlier job that changes the source here; NULL for what was seen
) STRICT;
CREATE UNIQUE INDEX op_place ON op (stage, path);
CREATE INDEX op_ready ON op (stage, tries, id) WHERE state = 'planned' AND waits = 0;
CREATE INDEX op_made ON op (made) WHERE made IS NOT NULL;

-- An entry that cannot be kept in step, or a part of a tree that could not be listed.
CREATE TABLE problem (
    stage    INTEGER NOT NULL REFERENCES stage,
    path     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    message  TEXT NOT NULL,
    exit     INTEGER NOT NULL
) STRICT;

-- Counts of what needs no operation: unchanged files by proof, what was left, what was listed.
CREATE TABLE tally (
    stage  INTEGER NOT NULL REFERENCES stage,
    what   TEXT NOT NULL,
    files  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (stage, what)
) STRICT, WITHOUT ROWID;

-- How long a saved plan may be applied, and what it continues: one row in a saved plan, none in a run.
CREATE TABLE validity (
    expires  REAL NOT NULL,               -- seconds since 1970
    lineage  TEXT NOT NULL,               -- history of writes to its destinations that the plan's machine keeps
    serial   INTEGER NOT NULL,            -- how many runs had written there when planning began
    weak     INTEGER NOT NULL             -- operations whose precondition is looked up before the write, not with it
) STRICT;

-- The seal of a saved plan: one row. It covers every row of every other table.
CREATE TABLE seal (
    algorithm  TEXT NOT NULL,             -- hmac-sha256
    key        TEXT NOT NULL,             -- which key it was made with, by a digest of it
    mac        BLOB NOT NULL
) STRICT;

-- What a guard found when it held one of its limits against the plan; of accept, the plan's fingerprint.
CREATE TABLE finding (
    id     INTEGER PRIMARY KEY,
    stage  INTEGER NOT NULL REFERENCES stage,
    what   TEXT NOT NULL,                -- the limit, such as trash.max; history; plan for a fingerprint
    level  TEXT NOT NULL,                -- ok, note, warn, refused, accepted, final (refused, and nobody may accept it)
    text   TEXT NOT NULL                 -- the numbers in words
) STRICT;

-- Which folder of which disk or account each side of a pair is, as a guard last saw it.
CREATE TABLE place (
    pair      TEXT NOT NULL,
    side      TEXT NOT NULL,             -- source, destination
    identity  TEXT NOT NULL,             -- "" where nothing stood yet
    PRIMARY KEY (pair, side)
) STRICT, WITHOUT ROWID;
