-- Times are Unix milliseconds. Rows are written by one thread, ids grow with time.
-- Whoever prunes keeps the newest notification: its id must never be given twice, people search for it.

CREATE TABLE notification (
    id            INTEGER PRIMARY KEY,
    source        TEXT NOT NULL,
    format        TEXT NOT NULL,
    content_type  TEXT,
    path_receiver TEXT,
    sender        TEXT NOT NULL,
    group_key     TEXT NOT NULL,
    received_at   INTEGER NOT NULL,
    raw           BLOB NOT NULL
) STRICT;

-- What each receiver knows of each alert (news.rs). thread: the notification that began the episode;
-- notification_id: the one that told the last transition.
CREATE TABLE alert (
    id              INTEGER PRIMARY KEY,
    identity        BLOB NOT NULL,
    receiver        TEXT NOT NULL,
    source          TEXT NOT NULL,
    name            TEXT NOT NULL,
    labels          TEXT NOT NULL,
    critical        INTEGER NOT NULL,
    status          TEXT NOT NULL,
    starts_at       INTEGER,
    ends_at         INTEGER,
    thread          INTEGER NOT NULL,
    notification_id INTEGER NOT NULL,
    sender          TEXT NOT NULL,
    told_at         INTEGER NOT NULL,
    UNIQUE (identity, receiver)
) STRICT;

-- The outbox. Live rows have no settled_at. epoch counts the claims: it is the number of attempts and the fence
-- that keeps a late answer from touching a newer state. version 0: no bytes are frozen yet.
CREATE TABLE message (
    id              INTEGER PRIMARY KEY,
    notification_id INTEGER NOT NULL,
    receiver        TEXT NOT NULL,
    lane            TEXT NOT NULL,
    target          TEXT NOT NULL,
    critical        INTEGER NOT NULL,
    thread          INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    state           TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'unsure', 'sent', 'dead')),
    not_before      INTEGER NOT NULL DEFAULT 0,
    epoch           INTEGER NOT NULL DEFAULT 0,
    version         INTEGER NOT NULL DEFAULT 0,
    parts           INTEGER NOT NULL DEFAULT 0,
    next_part       INTEGER NOT NULL DEFAULT 0,
    face            TEXT,
    claimed_at      INTEGER,
    settled_at      INTEGER,
    outcome         TEXT,
    errcode         INTEGER,
    error           TEXT,
    CHECK ((settled_at IS NOT NULL) = (state IN ('sent', 'dead')))
) STRICT;

-- Lanes, in order, of what is live: its size is the backlog, not the history.
CREATE INDEX message_live ON message (lane) WHERE settled_at IS NULL;
-- A person searches for a short id.
CREATE INDEX message_thread ON message (thread);

CREATE TRIGGER message_is_final BEFORE UPDATE ON message WHEN OLD.settled_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a settled message never changes'); END;

-- One change of one alert for one lane, with exactly one fate. counted: its message gives its number, not its name.
CREATE TABLE transition (
    id              INTEGER PRIMARY KEY,
    alert_id        INTEGER NOT NULL,
    notification_id INTEGER NOT NULL,
    alert_index     INTEGER NOT NULL,
    message_id      INTEGER REFERENCES message,
    lane            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    at              INTEGER NOT NULL,
    starts_at       INTEGER,
    ends_at         INTEGER,
    counted         INTEGER NOT NULL DEFAULT 0,
    fate            TEXT NOT NULL CHECK (fate IN ('pending', 'named', 'counted', 'suppressed', 'dead')),
    reason          TEXT
) STRICT;

CREATE INDEX transition_message ON transition (message_id) WHERE message_id IS NOT NULL;

CREATE TRIGGER fate_is_final BEFORE UPDATE OF fate ON transition WHEN OLD.fate <> 'pending'
BEGIN SELECT RAISE(ABORT, 'a transition has one fate'); END;

-- The bytes of a message, as they go out. A new version is a new set of rows.
CREATE TABLE part (
    message_id INTEGER NOT NULL REFERENCES message,
    version    INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    body       BLOB NOT NULL,
    PRIMARY KEY (message_id, version, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER part_is_frozen BEFORE UPDATE ON part
BEGIN SELECT RAISE(ABORT, 'frozen bytes never change'); END;

-- One try to send one part. Without an outcome: it is under way, or the process ended before it knew.
CREATE TABLE attempt (
    message_id    INTEGER NOT NULL REFERENCES message,
    epoch         INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    part          INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    duration_ms   INTEGER,
    outcome       TEXT,
    http_status   INTEGER,
    errcode       INTEGER,
    errmsg        TEXT,
    msgid         TEXT,
    response_code TEXT,
    invalid       TEXT,
    PRIMARY KEY (message_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    app        TEXT PRIMARY KEY,
    token      TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: what signs the links in messages.
CREATE TABLE link_key (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL
) STRICT;

-- One row, rewritten to find out whether the disk still takes a commit.
CREATE TABLE pulse (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    beats INTEGER NOT NULL
) STRICT;
INSERT INTO pulse (id, beats) VALUES (1, 0);
