-- Figures of reports by the hour (milliseconds, UTC), kept longer than the record that they were counted from. A job counts
-- each row of the record once, behind the numbers in tally_mark.
CREATE TABLE tally_rule (
    hour     INTEGER NOT NULL,
    rule     TEXT NOT NULL,
    receiver TEXT NOT NULL,
    source   TEXT NOT NULL,
    fired    INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    brief    INTEGER NOT NULL,
    PRIMARY KEY (hour, rule, receiver, source)
) STRICT, WITHOUT ROWID;

-- How long the alerts that ended were on, in steps of a quarter of a power of two (seconds).
CREATE TABLE tally_length (
    hour     INTEGER NOT NULL,
    rule     TEXT NOT NULL,
    receiver TEXT NOT NULL,
    step     INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    PRIMARY KEY (hour, rule, receiver, step)
) STRICT, WITHOUT ROWID;

-- What became of messages, by the hour in which they were queued. late: sent more than a minute later.
CREATE TABLE tally_sent (
    hour     INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    sent     INTEGER NOT NULL,
    dead     INTEGER NOT NULL,
    folded   INTEGER NOT NULL,
    late     INTEGER NOT NULL,
    PRIMARY KEY (hour, receiver)
) STRICT, WITHOUT ROWID;

-- Alerts that were acknowledged; by whom is not kept.
CREATE TABLE tally_taken (
    at       INTEGER NOT NULL,
    act_id   INTEGER NOT NULL,
    alert_id INTEGER NOT NULL,
    rule     TEXT NOT NULL,
    receiver TEXT NOT NULL,
    fired_at INTEGER,
    told_at  INTEGER,
    PRIMARY KEY (at, act_id, alert_id)
) STRICT, WITHOUT ROWID;

-- Messages that were passed before they were settled.
CREATE TABLE tally_live (
    message_id INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE tally_mark (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    transition INTEGER NOT NULL,
    message    INTEGER NOT NULL,
    act        INTEGER NOT NULL
) STRICT;
INSERT INTO tally_mark VALUES (1, 0, 0, 0);

-- The SHA-256 of the password hash that signed in; a session of another way has none.
ALTER TABLE session ADD COLUMN credential BLOB;
