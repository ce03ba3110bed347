-- What the columns and the table hold is said in schema/sqlite/0006.sql.
ALTER TABLE alert ADD COLUMN lapses_at bigint;
CREATE INDEX alert_lapses ON alert (source, lapses_at) WHERE lapses_at IS NOT NULL;

CREATE TABLE truth (
    alert_id  bigint PRIMARY KEY REFERENCES alert ON DELETE CASCADE,
    thread    bigint NOT NULL,
    upstream  text NOT NULL,
    state     text NOT NULL,
    seen_at   bigint NOT NULL,
    listed_at bigint,
    absent_at bigint
);
