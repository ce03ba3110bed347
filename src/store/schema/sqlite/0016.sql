-- Episodes of which a person says that they should not have been told. receiver, told_at: of the message it is about;
-- reason: in the person's words, empty if not said. Kept for a year.
CREATE TABLE needless (
    thread   INTEGER NOT NULL,
    person   TEXT NOT NULL,
    receiver TEXT NOT NULL,
    rule     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    told_at  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (thread, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX needless_told ON needless (told_at);
