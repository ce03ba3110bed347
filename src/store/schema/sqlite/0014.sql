-- The terms of messages (search.rs), by which they are found; rowid: the message. Only the terms are kept, and only in
-- which messages they stand. Terms are letters and digits, with spaces between.
CREATE VIRTUAL TABLE message_term USING fts5 (
    terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

-- One row: messages up to this one have terms.
CREATE TABLE term_mark (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    message INTEGER NOT NULL
) STRICT;
INSERT INTO term_mark VALUES (1, 0);

-- Messages that got their terms before they were settled: they get them again.
CREATE TABLE term_again (
    message_id INTEGER PRIMARY KEY
) STRICT;
