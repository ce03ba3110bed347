-- What the columns hold is said in schema/sqlite/0016.sql.
CREATE TABLE needless (
    thread   bigint NOT NULL,
    person   text NOT NULL,
    receiver text NOT NULL,
    rule     text NOT NULL,
    reason   text NOT NULL,
    told_at  bigint NOT NULL,
    at       bigint NOT NULL,
    PRIMARY KEY (thread, person)
);
CREATE INDEX needless_told ON needless (told_at);
