-- What the tables hold is said in schema/sqlite/0014.sql.
CREATE TABLE message_term (
    message_id bigint PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    terms      tsvector NOT NULL
);
CREATE INDEX message_term_terms ON message_term USING gin (terms);

CREATE TABLE term_mark (
    id      bigint PRIMARY KEY CHECK (id = 1),
    message bigint NOT NULL
);
INSERT INTO term_mark (id, message) VALUES (1, 0);

CREATE TABLE term_again (
    message_id bigint PRIMARY KEY REFERENCES message ON DELETE CASCADE
);
