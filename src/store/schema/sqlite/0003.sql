-- What people do in WeCom: acts, who has an alert, silences, cards, escalations, conversations.

ALTER TABLE alert ADD COLUMN acknowledged_by TEXT;
ALTER TABLE alert ADD COLUMN acknowledged_at INTEGER;
-- A person names an episode by its short id.
CREATE INDEX alert_thread ON alert (thread);

-- A message that tells of an act.
ALTER TABLE message ADD COLUMN act_id INTEGER;
CREATE INDEX message_act ON message (act_id) WHERE act_id IS NOT NULL;

-- Each event once: WeCom calls up to three times with the same.
CREATE TABLE act (
    id         INTEGER PRIMARY KEY,
    event      TEXT NOT NULL UNIQUE,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'done', 'repeated', 'void', 'denied', 'failed')),
    by         TEXT NOT NULL,
    via        TEXT NOT NULL,
    message_id INTEGER,
    thread     INTEGER NOT NULL,
    until      INTEGER,
    detail     TEXT NOT NULL
) STRICT;
CREATE INDEX act_open ON act (id) WHERE state = 'open';
CREATE INDEX act_at ON act (at);
CREATE INDEX act_thread ON act (thread);

-- What an act touched, and which episode that was.
CREATE TABLE act_alert (
    act_id   INTEGER NOT NULL,
    alert_id INTEGER NOT NULL,
    thread   INTEGER NOT NULL,
    PRIMARY KEY (act_id, alert_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX act_alert_alert ON act_alert (alert_id);
CREATE INDEX act_alert_thread ON act_alert (thread);

CREATE TABLE silence (
    act_id      INTEGER PRIMARY KEY,
    upstream    TEXT NOT NULL,
    upstream_id TEXT NOT NULL,
    matchers    TEXT NOT NULL,
    until       INTEGER NOT NULL,
    absent      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX silence_upstream ON silence (upstream, upstream_id);
CREATE INDEX silence_until ON silence (until);

-- Messages that are cards. Without a code all were used, and a press of a button brings the next. spare: an older one
-- that was not used.
CREATE TABLE card (
    message_id INTEGER PRIMARY KEY,
    code       TEXT,
    code_at    INTEGER NOT NULL,
    spare      TEXT,
    spare_at   INTEGER
) STRICT;

-- By it a later message finds the card that it can change instead.
CREATE TABLE card_alert (
    alert_id   INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    PRIMARY KEY (alert_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX card_alert_message ON card_alert (message_id);

-- Without due_at nothing is due until the alert is over.
CREATE TABLE escalation (
    alert_id INTEGER PRIMARY KEY,
    step     INTEGER NOT NULL,
    fired_at INTEGER NOT NULL,
    due_at   INTEGER
) STRICT;
CREATE INDEX escalation_due ON escalation (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE conversation (
    bot      TEXT NOT NULL,
    chat     TEXT NOT NULL,
    is_group INTEGER NOT NULL,
    speaker  TEXT NOT NULL,
    heard_at INTEGER NOT NULL,
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;
