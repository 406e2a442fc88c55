-- Facts about the store itself: the root's id, the account's id, the signing secret.
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A node is a file or a folder; a row is there only when its content is whole on disk.
CREATE TABLE node (
    id              TEXT NOT NULL PRIMARY KEY, -- 22 characters of base64url
    seq             INTEGER NOT NULL,          -- number of the node's last change, ever growing
    name            TEXT,                      -- NULL for the root only
    kind            TEXT NOT NULL,             -- FILE, FOLDER
    status          TEXT NOT NULL,             -- AVAILABLE, TRASH, PENDING (files only, by a fault)
    version         INTEGER NOT NULL,          -- 1 at first, +1 with every change
    created_ms      INTEGER NOT NULL,          -- milliseconds since 1970, UTC
    modified_ms     INTEGER NOT NULL,          -- milliseconds since 1970, UTC
    created_by      TEXT NOT NULL,             -- name of the app, with a user part
    description     TEXT,                      -- at most 500 characters
    labels          TEXT NOT NULL,             -- JSON list of strings
    properties      TEXT NOT NULL,             -- JSON {owner: {key: value}}
    local_id        TEXT,                      -- the creating app's own unique id
    size            INTEGER,                   -- bytes; NULL for folders, as are the rest
    md5             TEXT,                      -- 32 lower-case hex digits
    content_type    TEXT,                      -- a MIME type
    content_version INTEGER,                   -- 1 at first, +1 with every overwrite
    extension       TEXT                       -- without its dot; NULL if the name has none
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX node_seq ON node (seq);
CREATE UNIQUE INDEX node_local_id ON node (local_id) WHERE local_id IS NOT NULL;
CREATE INDEX node_md5 ON node (md5) WHERE md5 IS NOT NULL;
CREATE INDEX node_trash ON node (id) WHERE status = 'TRASH';

-- A link puts a node into a folder under its name; most nodes have one link, the root has none.
CREATE TABLE link (
    parent TEXT NOT NULL,    -- id of the folder
    child  TEXT NOT NULL,    -- id of the node
    place  INTEGER NOT NULL, -- order among the child's parents, ever growing
    folded TEXT NOT NULL,    -- the child's name after Unicode case folding
    live   INTEGER NOT NULL, -- 1 while the child is AVAILABLE, 2 while PENDING, else 0
    PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_child ON link (child);
-- Names are unique ignoring case, and only among available siblings (acd-api §5).
CREATE UNIQUE INDEX link_name ON link (parent, folded) WHERE live = 1;

-- A credential is a token or a code that was handed out; only its SHA-256 is kept.
CREATE TABLE credential (
    digest     BLOB NOT NULL PRIMARY KEY, -- 32 bytes
    kind       TEXT NOT NULL,             -- access, refresh, code
    client     TEXT NOT NULL,             -- client id; empty for a token made without one
    scope      TEXT NOT NULL,             -- space separated
    redirect   TEXT NOT NULL,             -- a code's redirect URI; else empty
    expires_ms INTEGER NOT NULL           -- milliseconds since 1970; 0 = never
) STRICT, WITHOUT ROWID;

-- Nodes that listings must for a while show as they were: the fault "late".
CREATE TABLE late (
    id       TEXT NOT NULL PRIMARY KEY, -- of a node
    until_ms INTEGER NOT NULL           -- milliseconds since 1970
) STRICT, WITHOUT ROWID;

-- What a late node was before; no row for a node that was not there. Columns as in node.
CREATE TABLE late_node (
    id TEXT NOT NULL PRIMARY KEY, seq INTEGER NOT NULL, name TEXT, kind TEXT NOT NULL, status TEXT NOT NULL,
    version INTEGER NOT NULL, created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL, created_by TEXT NOT NULL,
    description TEXT, labels TEXT NOT NULL, properties TEXT NOT NULL, local_id TEXT, size INTEGER, md5 TEXT,
    content_type TEXT, content_version INTEGER, extension TEXT
) STRICT, WITHOUT ROWID;

-- Where a late node was before. Columns as in link.
CREATE TABLE late_link (
    parent TEXT NOT NULL, child TEXT NOT NULL, place INTEGER NOT NULL, folded TEXT NOT NULL, live INTEGER NOT NULL,
    PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;
