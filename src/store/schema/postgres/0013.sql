-- What the table holds is said in schema/sqlite/0015.sql.
CREATE TABLE unpictured (
    message_id bigint PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    why        text NOT NULL
);
