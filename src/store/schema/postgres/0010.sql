-- The console. Links that sign a person in once; secrets are kept as their SHA-256.
CREATE TABLE ticket (
    hash    BYTEA PRIMARY KEY,
    person  TEXT NOT NULL,
    way     TEXT NOT NULL,
    made_at BIGINT NOT NULL
);

-- Browsers that are signed in.
CREATE TABLE session (
    hash    BYTEA PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    person  TEXT NOT NULL,
    way     TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    address TEXT NOT NULL,
    agent   TEXT NOT NULL
);

-- Who signed in and out.
CREATE TABLE trail (
    at      BIGINT NOT NULL,
    person  TEXT NOT NULL,
    what    TEXT NOT NULL,
    way     TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (at, person, what, way, address)
);

-- The console asks for what is on, and for what WeCom refused: small indexes, whose rows are few.
CREATE INDEX alert_firing ON alert (critical DESC, starts_at) WHERE status = 'firing';
CREATE INDEX message_dead ON message (id) WHERE state = 'dead';
