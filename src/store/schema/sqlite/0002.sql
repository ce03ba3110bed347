-- The delivery engine: folding, budgets, breakers, fallbacks, resends.

-- New in message: revision counts the changes of what an unclaimed message tells (folding, merging), a fence for
-- whoever is writing its letter meanwhile. urgent: holds a critical alert or an end. digest: stands for many.
-- folded_into: the message that tells its transitions instead. origin: what it is a fallback or a resend of, and
-- note says why (JSON). way: by which of several keys the last attempt went.
CREATE TABLE message_2 (
    id              INTEGER PRIMARY KEY,
    notification_id INTEGER NOT NULL,
    receiver        TEXT NOT NULL,
    lane            TEXT NOT NULL,
    target          TEXT NOT NULL,
    critical        INTEGER NOT NULL,
    urgent          INTEGER NOT NULL DEFAULT 0,
    digest          INTEGER NOT NULL DEFAULT 0,
    thread          INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    state           TEXT NOT NULL DEFAULT 'queued'
                    CHECK (state IN ('queued', 'sending', 'unsure', 'sent', 'dead', 'folded')),
    not_before      INTEGER NOT NULL DEFAULT 0,
    epoch           INTEGER NOT NULL DEFAULT 0,
    revision        INTEGER NOT NULL DEFAULT 0,
    version         INTEGER NOT NULL DEFAULT 0,
    parts           INTEGER NOT NULL DEFAULT 0,
    next_part       INTEGER NOT NULL DEFAULT 0,
    face            TEXT,
    claimed_at      INTEGER,
    settled_at      INTEGER,
    outcome         TEXT,
    errcode         INTEGER,
    error           TEXT,
    folded_into     INTEGER,
    origin          INTEGER,
    note            TEXT,
    CHECK ((settled_at IS NOT NULL) = (state IN ('sent', 'dead', 'folded'))),
    CHECK ((folded_into IS NOT NULL) = (state = 'folded'))
) STRICT;

INSERT INTO message_2 (id, notification_id, receiver, lane, target, critical, urgent, thread, created_at, state,
                       not_before, epoch, version, parts, next_part, face, claimed_at, settled_at, outcome, errcode,
                       error)
    SELECT id, notification_id, receiver, lane, target, critical, critical, thread, created_at, state,
           not_before, epoch, version, parts, next_part, face, claimed_at, settled_at, outcome, errcode, error
    FROM message;
DROP TABLE message;
ALTER TABLE message_2 RENAME TO message;

-- Lanes, in order, of what is live: its size is the backlog, not the history.
CREATE INDEX message_live ON message (lane) WHERE settled_at IS NULL;
-- A person searches for a short id.
CREATE INDEX message_thread ON message (thread);
-- Who prunes asks for what was settled longest ago.
CREATE INDEX message_settled ON message (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX message_notification ON message (notification_id);

CREATE TRIGGER message_is_final BEFORE UPDATE ON message WHEN OLD.settled_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a settled message never changes'); END;

-- What is still to be told of an alert: by it a later message finds what it must wait for or can tell as well.
CREATE INDEX transition_pending ON transition (alert_id) WHERE fate = 'pending';

-- What was spent on a member, a member of chats or a webhook (budget.rs).
CREATE TABLE budget (
    account TEXT PRIMARY KEY,
    spent   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Open breakers: nothing is sent by an app, a webhook or to a host before probe_at, and then one message tries.
CREATE TABLE breaker (
    scope     TEXT PRIMARY KEY,
    reason    TEXT NOT NULL,
    errcode   INTEGER,
    error     TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    probe_at  INTEGER NOT NULL,
    failures  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When an always-firing alert was last seen, by source.
CREATE TABLE heard (
    source TEXT PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: bodies of notifications up to this one were given up.
CREATE TABLE pruned (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    notification INTEGER NOT NULL
) STRICT;
INSERT INTO pruned (id, notification) VALUES (1, 0);
