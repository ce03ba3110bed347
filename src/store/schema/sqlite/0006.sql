-- Until when what was pushed counts as firing without being pushed again; NULL: its sender promises nothing.
ALTER TABLE alert ADD COLUMN lapses_at INTEGER;
CREATE INDEX alert_lapses ON alert (source, lapses_at) WHERE lapses_at IS NOT NULL;

-- What its upstream last said of a firing alert, for one receiver. thread: the episode. upstream: empty if none is
-- known. state: as engine/truth.rs writes it. listed_at: when it was last listed there; absent_at: since when it is
-- absent from all peers, without a break.
CREATE TABLE truth (
    alert_id  INTEGER PRIMARY KEY REFERENCES alert ON DELETE CASCADE,
    thread    INTEGER NOT NULL,
    upstream  TEXT NOT NULL,
    state     TEXT NOT NULL,
    seen_at   INTEGER NOT NULL,
    listed_at INTEGER,
    absent_at INTEGER
) STRICT;
