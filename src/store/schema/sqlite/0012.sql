-- The console. Links that sign a person in once; secrets are kept as their SHA-256.
CREATE TABLE ticket (
    hash    BLOB PRIMARY KEY,
    person  TEXT NOT NULL,
    way     TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Browsers that are signed in.
CREATE TABLE session (
    hash    BLOB PRIMARY KEY,
    id      TEXT NOT NULL,
    person  TEXT NOT NULL,
    way     TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX session_id ON session (id);

-- Who signed in and out.
CREATE TABLE trail (
    at      INTEGER NOT NULL,
    person  TEXT NOT NULL,
    what    TEXT NOT NULL,
    way     TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (at, person, what, way, address)
) STRICT, WITHOUT ROWID;

-- The console asks for what is on, and for what WeCom refused: small indexes, whose rows are few.
CREATE INDEX alert_firing ON alert (critical DESC, starts_at) WHERE status = 'firing';
CREATE INDEX message_dead ON message (id) WHERE state = 'dead';
