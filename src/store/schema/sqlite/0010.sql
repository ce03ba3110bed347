-- Alerts are found by their identity through an index that is merged later (sqlite/keys.rs): identities are random, and
-- an index that takes each new one at once writes a page for nearly every alert. key: the first bytes of the identity.
CREATE TABLE alert_key (
    key   BLOB NOT NULL,
    alert INTEGER NOT NULL,
    PRIMARY KEY (key, alert)
) STRICT, WITHOUT ROWID;

-- One row: all alerts up to this one are in alert_key.
CREATE TABLE merged (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    alert INTEGER NOT NULL
) STRICT;

-- The same table without UNIQUE (identity, receiver): the one writer looks before it adds.
CREATE TABLE alert_2 (
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
    acknowledged_by TEXT,
    acknowledged_at INTEGER,
    heard_at        INTEGER,
    lapses_at       INTEGER
) STRICT;
INSERT INTO alert_2 SELECT id, identity, receiver, source, name, labels, critical, status, starts_at, ends_at, thread,
                           notification_id, sender, told_at, acknowledged_by, acknowledged_at, heard_at, lapses_at
    FROM alert ORDER BY id;
DROP TABLE alert;
ALTER TABLE alert_2 RENAME TO alert;
CREATE INDEX alert_thread ON alert (thread);
CREATE INDEX alert_lapses ON alert (source, lapses_at) WHERE lapses_at IS NOT NULL;
CREATE INDEX alert_held ON alert (identity) WHERE acknowledged_at IS NOT NULL;

INSERT INTO alert_key SELECT substr(identity, 1, 8), id FROM alert ORDER BY 1, 2;
INSERT INTO merged SELECT 1, ifnull(max(id), 0) FROM alert;

-- One row: the last ids given when something was last pruned. Ids are never given twice, also where the newest rows
-- were pruned.
CREATE TABLE given (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    notification INTEGER NOT NULL,
    alert        INTEGER NOT NULL,
    message      INTEGER NOT NULL,
    transition   INTEGER NOT NULL,
    act          INTEGER NOT NULL
) STRICT;
INSERT INTO given VALUES (1, 0, 0, 0, 0, 0);

-- One row: the next id of each table whose rows are numbered.
CREATE VIEW next_id AS SELECT
    max(ifnull((SELECT max(id) FROM notification), 0), (SELECT notification FROM given)) + 1 AS notification,
    max(ifnull((SELECT max(id) FROM alert), 0), (SELECT alert FROM given)) + 1 AS alert,
    max(ifnull((SELECT max(id) FROM message), 0), (SELECT message FROM given)) + 1 AS message,
    max(ifnull((SELECT max(id) FROM transition), 0), (SELECT transition FROM given)) + 1 AS transition,
    max(ifnull((SELECT max(id) FROM act), 0), (SELECT act FROM given)) + 1 AS act;
