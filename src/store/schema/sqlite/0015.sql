-- Messages without the picture that was wanted, and why (`result` of wegraf_pictures_total). A picture is drawn when it is
-- first opened, after its message was settled.
CREATE TABLE unpictured (
    message_id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    why        TEXT NOT NULL
) STRICT;
